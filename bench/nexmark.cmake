# The program bench/nexmark, and what its tests share with it: events, loops and golden answers.
find_package(CLI11 CONFIG QUIET)

add_library(nexmark_loops STATIC
  nexmark/text.cpp nexmark/generator.cpp nexmark/log.cpp nexmark/golden.cpp nexmark/loops.cpp
  nexmark/loops_stateless.cpp nexmark/loops_windows.cpp nexmark/loops_tables.cpp
  nexmark/loops_joins.cpp)
target_include_directories(nexmark_loops PUBLIC nexmark)
target_link_libraries(nexmark_loops PUBLIC freshet::freshet)
freshet_own_files(nexmark_loops)

if(NOT TARGET CLI11::CLI11)
  message(STATUS "freshet: no benchmark nexmark, CLI11::CLI11 was not found")
  return()  # Of this file.
endif()
add_executable(nexmark
  nexmark/main.cpp nexmark/measure.cpp nexmark/minute_files.cpp nexmark/saved.cpp nexmark/sink.cpp
  nexmark/queries.cpp nexmark/queries_stateless.cpp nexmark/queries_windows.cpp
  nexmark/queries_tables.cpp nexmark/queries_winners.cpp nexmark/queries_joins.cpp)
target_link_libraries(nexmark PRIVATE nexmark_loops CLI11::CLI11)
freshet_own_files(nexmark)
add_dependencies(benchmarks nexmark)
