# Included by ctest: asks a Catch2 program for its test cases and adds each as a test.
#
# Input: discover_program, discover_cases (a file to cache the answer in), discover_prefix,
# discover_list_arguments, discover_run_arguments, discover_environment. A program that is absent,
# cannot list its cases or has none becomes a failing test, so that nothing disappears silently.

cmake_policy(PUSH)
cmake_policy(VERSION 3.25)  # ctest itself includes this file with the oldest policies.

# Sets `result` to the names of the cases that match the Catch2 filter ("" = all), as a list whose
# elements hold <OPEN>, <CLOSE> and <SEMICOLON> where the name has a bracket or a semicolon: an
# unbalanced bracket would glue the elements of a CMake list together.
function(discover_names result filter)
  execute_process(COMMAND ${discover_program} ${filter} ${discover_list_arguments}
    OUTPUT_VARIABLE printed ERROR_VARIABLE complaint RESULT_VARIABLE status)
  if(NOT status MATCHES "^[0-9]+$")  # Catch2 version 2 exits with the number of cases.
    message(WARNING "${discover_program}: listing its cases ended with '${status}'\n${complaint}")
    set(printed "")
  endif()
  string(REPLACE "[" "<OPEN>" printed "${printed}")
  string(REPLACE "]" "<CLOSE>" printed "${printed}")
  string(REPLACE ";" "<SEMICOLON>" printed "${printed}")
  string(REPLACE "\n" ";" printed "${printed}")
  set(names)
  foreach(name IN LISTS printed)
    string(STRIP "${name}" name)
    if(NOT name STREQUAL "")
      list(APPEND names "${name}")
    endif()
  endforeach()
  set(${result} "${names}" PARENT_SCOPE)
endfunction()

function(discover_write_cases)
  discover_names(names "")
  foreach(label IN ITEMS slow tbb)
    discover_names(${label}_names "[${label}]")
  endforeach()
  if(NOT names)
    set(names "(has no test case, or cannot list them)")
  endif()
  set(lines)
  foreach(encoded IN LISTS names)
    set(properties "ENVIRONMENT [==[${discover_environment}]==]")
    foreach(label IN ITEMS slow tbb)
      if(encoded IN_LIST ${label}_names)
        string(APPEND properties " LABELS ${label}")
      endif()
    endforeach()
    set(name "${encoded}")
    string(REPLACE "<OPEN>" "[" name "${name}")
    string(REPLACE "<CLOSE>" "]" name "${name}")
    string(REPLACE "<SEMICOLON>" ";" name "${name}")
    # In a Catch2 filter these characters have a meaning of their own.
    set(filter "${name}")
    string(REPLACE "\\" "\\\\" filter "${filter}")
    string(REPLACE "," "\\," filter "${filter}")
    string(REPLACE "[" "\\[" filter "${filter}")
    string(REPLACE "\"" "\\\"" filter "${filter}")
    string(APPEND lines
      "add_test([==[${discover_prefix}${name}]==] [==[${discover_program}]==] [==[${filter}]==]"
      " ${discover_run_arguments})\n"
      "set_tests_properties([==[${discover_prefix}${name}]==] PROPERTIES ${properties})\n")
  endforeach()
  file(WRITE ${discover_cases} "${lines}")
endfunction()

if(NOT EXISTS ${discover_program})
  add_test([==[${discover_prefix}(program not built)]==] ${discover_program})
else()
  if(NOT EXISTS ${discover_cases} OR ${discover_program} IS_NEWER_THAN ${discover_cases}
     OR ${CMAKE_CURRENT_LIST_FILE} IS_NEWER_THAN ${discover_cases})
    discover_write_cases()
  endif()
  include(${discover_cases})
endif()

cmake_policy(POP)
