# cmake -D program=... -D expected=... -D folder=... -P compare_output.cmake -- <argument>...
#
# Runs the program in the folder, which is emptied first, and fails unless it exits with 0 and its
# standard output equals the expected file byte for byte. Standard error is shown, not compared.
cmake_minimum_required(VERSION 3.25)

set(arguments)
set(after_dashes FALSE)
foreach(index RANGE 1 ${CMAKE_ARGC})
  if(after_dashes AND index LESS CMAKE_ARGC)
    list(APPEND arguments "${CMAKE_ARGV${index}}")
  elseif("${CMAKE_ARGV${index}}" STREQUAL "--")
    set(after_dashes TRUE)
  endif()
endforeach()

file(REMOVE_RECURSE ${folder})
file(MAKE_DIRECTORY ${folder})
execute_process(COMMAND ${program} ${arguments} WORKING_DIRECTORY ${folder}
  OUTPUT_FILE ${folder}/standard_output.txt RESULT_VARIABLE result)
file(READ ${folder}/standard_output.txt printed)
message("${printed}")
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${program}: exited with ${result}, wanted 0; see the output above")
endif()
execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files ${folder}/standard_output.txt ${expected}
  RESULT_VARIABLE differs OUTPUT_QUIET ERROR_QUIET)
if(NOT differs EQUAL 0)
  message(FATAL_ERROR "${program}: its output (above) is not that of ${expected}; compare "
    "${folder}/standard_output.txt with it, then correct whichever is wrong")
endif()
