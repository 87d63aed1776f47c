# nab_score: the program bench/nab_score, and the rules that its tests share with it.
add_library(nab_rules STATIC nab/rules.cpp)
target_include_directories(nab_rules PUBLIC nab)
freshet_own_files(nab_rules)
add_executable(nab_score nab/main.cpp)
target_link_libraries(nab_score PRIVATE nab_rules freshet::freshet)
freshet_own_files(nab_score)
