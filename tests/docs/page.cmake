# Reads the pages of the documentation: README.md and docs/**.md.
#
# A block of code whose fence is preceded by one of these comment lines takes part in the tests:
#
#   <!-- program: NAME -->   a complete C++ program; it is built as build/NAME
#   <!-- file: PATH -->      the content of a file of that name
#   <!-- session -->         commands, each after "$ ", and under it exactly what it prints
#
# A page is tested by walking through it from top to bottom in an empty folder: files are written
# and commands run where they stand on the page. Blocks of ```cpp and ```console must be marked, so
# that no code on a page goes untested by mistake; use ```sh for commands that only a reader runs.

# Sets `${prefix}_KIND`, `${prefix}_NAME`, `${prefix}_BODY` to the next marked block of the text in
# the variable named, which it shortens to what follows; an empty kind when there is none.
function(page_next_block text_variable prefix)
  set(rest "${${text_variable}}")
  set(${prefix}_KIND "" PARENT_SCOPE)
  while(TRUE)
    string(FIND "${rest}" "\n```" fence)
    if(fence EQUAL -1)
      set(${text_variable} "" PARENT_SCOPE)
      return()
    endif()
    string(SUBSTRING "${rest}" 0 ${fence} before)
    math(EXPR after "${fence} + 4")
    string(SUBSTRING "${rest}" ${after} -1 rest)
    string(FIND "${rest}" "\n" line_end)
    string(SUBSTRING "${rest}" 0 ${line_end} language)
    string(SUBSTRING "${rest}" ${line_end} -1 rest)  # Begins with the line end.
    string(FIND "${rest}" "\n```" close)
    if(close EQUAL -1)
      message(FATAL_ERROR "a block of ${language} is never closed; write ``` on a line of its own")
    endif()
    string(SUBSTRING "${rest}" 0 ${close} body)
    math(EXPR after "${close} + 4")
    string(SUBSTRING "${rest}" ${after} -1 rest)
    string(SUBSTRING "${body}\n" 1 -1 body)

    string(FIND "${before}" "\n" line_begin REVERSE)
    math(EXPR line_begin "${line_begin} + 1")
    string(SUBSTRING "${before}" ${line_begin} -1 marker)
    if(marker MATCHES "^<!-- (program: |file: |session)([A-Za-z0-9_./-]*) -->$")
      string(REPLACE ": " "" kind "${CMAKE_MATCH_1}")
      set(${prefix}_KIND "${kind}" PARENT_SCOPE)
      set(${prefix}_NAME "${CMAKE_MATCH_2}" PARENT_SCOPE)
      set(${prefix}_BODY "${body}" PARENT_SCOPE)
      set(${text_variable} "${rest}" PARENT_SCOPE)
      return()
    endif()
    if(language MATCHES "^(cpp|console)$")
      string(SUBSTRING "${body}" 0 60 start)
      message(FATAL_ERROR "a block of ${language} is not marked, so nothing tests it; write "
        "<!-- program: NAME --> or <!-- session --> above it. It begins with:\n${start}")
    endif()
  endwhile()
endfunction()

# Writes a file, but leaves one alone that has this content already: nothing is rebuilt then.
function(page_write_if_changed path content)
  if(EXISTS ${path})
    file(READ ${path} present)
    if(present STREQUAL content)
      return()
    endif()
  endif()
  file(WRITE ${path} "${content}")
endfunction()
