# cmake -D compiler=... -D flags=<response file> -D source=... -P must_not_compile.cmake
#
# Fails unless the source compiles with FRESHET_FIXED defined, and without it is refused with an
# error line that holds the text its first line expects.
cmake_minimum_required(VERSION 3.25)

function(fail complaint)
  message("${source}: ${complaint}")  # Unlike FATAL_ERROR, this does not wrap long lines.
  message(FATAL_ERROR "compile-fail test failed")
endfunction()

file(READ ${source} text)  # Not file(STRINGS), which would escape semicolons.
string(REGEX MATCH "^[^\n]*" first_line "${text}")
if(first_line MATCHES "^// expect: (.+)$")
  set(expected "${CMAKE_MATCH_1}")
  set(is_regex FALSE)
elseif(first_line MATCHES "^// expect-regex: (.+)$")
  set(expected "${CMAKE_MATCH_1}")
  set(is_regex TRUE)
else()
  fail("the first line states no expectation; begin with '// expect: <text of the error>'")
endif()

execute_process(COMMAND ${compiler} --version OUTPUT_VARIABLE version)
if(version MATCHES "clang")
  set(without_caret -fno-caret-diagnostics)
else()
  set(without_caret -fno-diagnostics-show-caret)
endif()

# Without the echoed source lines, the text can only come from the compiler's own sentences.
set(compile ${CMAKE_COMMAND} -E env LC_ALL=C
  ${compiler} @${flags} -fsyntax-only -fmessage-length=0 ${without_caret})

execute_process(COMMAND ${compile} -DFRESHET_FIXED ${source}
  RESULT_VARIABLE status OUTPUT_VARIABLE printed ERROR_VARIABLE printed)
if(NOT status EQUAL 0)
  fail("with FRESHET_FIXED does not compile, wanted a correct program; mend it\n${printed}")
endif()

execute_process(COMMAND ${compile} ${source}
  RESULT_VARIABLE status OUTPUT_VARIABLE printed ERROR_VARIABLE printed)
if(status EQUAL 0)
  fail("it compiles, wanted an error with: ${expected}")
endif()

string(REPLACE "[" "<OPEN>" lines "${printed}")  # Unbalanced brackets would glue list elements.
string(REPLACE "]" "<CLOSE>" lines "${lines}")
string(REPLACE ";" "<SEMICOLON>" lines "${lines}")
string(REPLACE "\n" ";" lines "${lines}")
foreach(line IN LISTS lines)
  string(REPLACE "<OPEN>" "[" line "${line}")
  string(REPLACE "<CLOSE>" "]" line "${line}")
  string(REPLACE "<SEMICOLON>" ";" line "${line}")
  if(line MATCHES "error: ")
    string(FIND "${line}" "${expected}" position)
    if((is_regex AND line MATCHES "${expected}") OR (NOT is_regex AND position GREATER -1))
      return()
    endif()
  endif()
endforeach()
fail("no error line holds '${expected}'; found\n${printed}")
