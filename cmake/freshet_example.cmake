# freshet_add_example(<file.cpp>
#   EXPECT <file> | NO_TEST     the standard output a run must print, relative to examples/
#   [ARGUMENTS <argument>...]   of the tested run
#   [SKIP_WHEN <regex>]         output that says an optional input is absent: the test is skipped
#   [LIBRARIES <target>...]     beyond freshet::freshet; without one, no example is built
# )
# Builds examples/<name>, where a leading number and underscore of the file name are dropped
# (1_word_count.cpp -> word_count), and registers the test "example: <name>". The tested run starts
# in an empty folder of its own.
function(freshet_add_example file)
  cmake_parse_arguments(PARSE_ARGV 1 example "NO_TEST" "EXPECT;SKIP_WHEN" "ARGUMENTS;LIBRARIES")
  if(example_UNPARSED_ARGUMENTS OR (NOT example_NO_TEST AND NOT example_EXPECT))
    message(FATAL_ERROR "freshet_add_example '${file}': found '${example_UNPARSED_ARGUMENTS}', "
      "wanted EXPECT <file> or NO_TEST; name the file that holds the expected output")
  endif()
  get_filename_component(name ${file} NAME_WE)
  string(REGEX REPLACE "^[0-9]+_" "" name ${name})
  foreach(library IN LISTS example_LIBRARIES)
    if(NOT TARGET ${library})
      message(STATUS "freshet: no example ${name}, ${library} was not found")
      return()
    endif()
  endforeach()
  add_executable(${name} ${file})
  target_link_libraries(${name} PRIVATE freshet::freshet ${example_LIBRARIES})
  freshet_own_files(${name})
  if(FRESHET_TESTS AND NOT example_NO_TEST)
    get_filename_component(expected ${example_EXPECT} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
    if(NOT EXISTS ${expected})
      message(FATAL_ERROR "freshet_add_example '${file}': the expected output ${expected} is "
        "absent; run the program, check its output and store it there")
    endif()
    add_test(NAME "example: ${name}" COMMAND ${CMAKE_COMMAND}
      -D "program=$<TARGET_FILE:${name}>" -D "expected=${expected}"
      -D "folder=${CMAKE_CURRENT_BINARY_DIR}/run/${name}"
      -P ${PROJECT_SOURCE_DIR}/cmake/compare_output.cmake -- ${example_ARGUMENTS})
    set_tests_properties("example: ${name}" PROPERTIES LABELS example)
    if(example_SKIP_WHEN)
      set_tests_properties("example: ${name}" PROPERTIES
        SKIP_REGULAR_EXPRESSION "${example_SKIP_WHEN}")
    endif()
  endif()
endfunction()
