# `./run bench`: runs all programs and makes the table; suite/main.cpp says what it can do.
find_path(FRESHET_BOOST_JSON_INCLUDE boost/json/src.hpp HINTS ${Boost_INCLUDE_DIRS})
mark_as_advanced(FRESHET_BOOST_JSON_INCLUDE)
if(NOT FRESHET_BOOST_JSON_INCLUDE)
  message(STATUS "freshet: no bench/suite, boost/json/src.hpp was not found")
  return()  # Of this file.
endif()
add_library(bench_suite STATIC
  suite/chart.cpp suite/compare.cpp suite/json.cpp suite/machine.cpp suite/page.cpp
  suite/programs.cpp suite/results.cpp suite/specs.cpp)
target_include_directories(bench_suite PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_include_directories(bench_suite SYSTEM PRIVATE ${FRESHET_BOOST_JSON_INCLUDE})
target_link_libraries(bench_suite PUBLIC freshet::freshet)
set_property(SOURCE suite/machine.cpp PROPERTY COMPILE_DEFINITIONS
  "FRESHET_FLAGS=\"${CMAKE_BUILD_TYPE} $<JOIN:${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_RELEASE}, >\"")
freshet_own_files(bench_suite)
add_executable(suite suite/main.cpp)
target_link_libraries(suite PRIVATE bench_suite)
freshet_own_files(suite)
add_dependencies(benchmarks suite)
