# freshet_join_sources(<target>): what each translation unit of the target costs most is what its
# files have in common, above all the templates of the standard library and of this one, compiled
# for the same types again in each file. With FRESHET_JOIN_TESTS = N, up to N files are compiled as
# one, which halves the time; a change of one file then recompiles up to N, which is why this is for
# continuous integration and not for daily work.
#
# CMake's own unity builds would put the unnamed namespaces of the files together, where their names
# clash. Here each file has a namespace to itself, which takes that everything it includes is
# included before. Only files *_test.cpp are joined: others define what is declared elsewhere, which
# they could not from within another namespace, and neither could a file that specialises templates.
#
# The time is that of the end of the configured folder: files may be added to the target until then.
function(freshet_join_sources target)
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "_test[.]cpp$")
  set(joinable)
  foreach(source IN LISTS sources)
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
    file(STRINGS ${source} alone REGEX "^(namespace freshet|template <>|#define )")
    if(NOT alone)
      list(APPEND joinable ${source})
    endif()
  endforeach()
  list(LENGTH joinable count)
  if(count LESS 2)
    return()
  endif()

  # As many groups as it takes, of nearly the same size.
  math(EXPR groups "(${count} + ${FRESHET_JOIN_TESTS} - 1) / ${FRESHET_JOIN_TESTS}")
  math(EXPR last "${groups} - 1")
  foreach(group RANGE ${last})
    math(EXPR begin "${group} * ${count} / ${groups}")
    math(EXPR length "(${group} + 1) * ${count} / ${groups} - ${begin}")
    list(SUBLIST joinable ${begin} ${length} members)
    if(length GREATER 1)
      freshet_write_joined(${CMAKE_CURRENT_BINARY_DIR}/joined/${target}_${group}.cpp ${members})
      target_sources(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/joined/${target}_${group}.cpp)
      set_source_files_properties(${members} PROPERTIES HEADER_FILE_ONLY ON)
    endif()
  endforeach()
endfunction()

# Writes the file that stands for the given ones. It has their lines #include, so CMake looks again
# when one of them changes.
function(freshet_write_joined joined)
  set(includes)
  set(bodies)
  set(number 0)
  foreach(member IN LISTS ARGN)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${member})
    cmake_path(GET member PARENT_PATH folder)
    file(STRINGS ${member} lines REGEX "^#include ")
    foreach(line IN LISTS lines)
      string(REGEX MATCH "[<\"][^>\"]+[>\"]" name "${line}")
      string(REGEX REPLACE "^\"(.+)\"$" "${folder}/\\1" beside "${name}")
      if(EXISTS "${beside}")
        set(name "\"${beside}\"")
      endif()
      list(APPEND includes "#include ${name}\n")
    endforeach()
    string(APPEND bodies "namespace joined_${number} {\n#include \"${member}\"\n}\n")
    math(EXPR number "${number} + 1")
  endforeach()
  list(REMOVE_DUPLICATES includes)
  list(JOIN includes "" includes)
  file(CONFIGURE OUTPUT ${joined} CONTENT "${includes}\n${bodies}" @ONLY)
endfunction()
