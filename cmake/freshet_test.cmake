# freshet_add_test(<folder>/<name>_test.cpp... [LIBRARIES <target>...])
#
# All files of one folder become one program, freshet_<folder>_tests, because each further program
# costs a link of everything. ctest still knows every test case by its own name, "<folder>: <case>",
# and runs each in a process of its own. A case tagged [slow] or [tbb] gets the label of that name,
# and is left out where the label is excluded: what is slow from sanitizer builds, what runs on
# oneTBB from that with ThreadSanitizer, which does not see how the library synchronises.
#
# With ThreadSanitizer the folders whose tests run jobs in several threads are built, and no others.
#
# The environment of each test: FRESHET_SOURCE_DIR and FRESHET_BUILD_DIR, absolute paths without a
# trailing slash. Programs under test are in $FRESHET_BUILD_DIR/examples.

include(freshet_join)

set(freshet_test_environment
  "FRESHET_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
  "FRESHET_BUILD_DIR=${PROJECT_BINARY_DIR}"
  "UBSAN_OPTIONS=print_stacktrace=1"
  "TSAN_OPTIONS=ignore_noninstrumented_modules=1")  # RocksDB and its locks are not instrumented.

# Programs full of pipelines are templates, whose compilation is most of the time that the tests
# take. Release compiles them with -O1, a quarter faster, but for the simulation, which has most to
# run; examples and benchmarks have the full -O2. With AddressSanitizer they are not optimised at
# all, which halves the time. UndefinedBehaviorSanitizer leaves out of them the checks of each access
# by pointer, which take a third of it: AddressSanitizer notices null pointers as well, and what
# deals with raw bytes is in the library and in the folders below, which are checked in full. g++
# collects its garbage for a tenth of the time, unless its heap may grow before the first time.
set(freshet_optimised_folders simulation)
set(freshet_fully_checked_folders core sketch state)

set(freshet_threaded_folders async runtime simulation)

# `./run test` compiles everything with AddressSanitizer, and a second time, optimised, only what
# that may make different: the folders below deal with raw bytes, processes, or programs, or run
# pipelines by the thousand. The others are two thirds of what there is to compile.
set(freshet_optimiser_folders
  architecture core crash csv_windows golden kafka nexmark simulation sketch state suite tools)

function(freshet_save_compile_time target folder)
  if(NOT folder IN_LIST freshet_optimised_folders)
    # With less inlining g++ 12 takes empty structs for values that nobody has set.
    target_compile_options(${target} PRIVATE
      $<$<CONFIG:Release>:-O1> $<$<CONFIG:Release>:-Wno-maybe-uninitialized>)
    if("address" IN_LIST FRESHET_SANITIZE)
      target_compile_options(${target} PRIVATE -O0)
    endif()
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE "SHELL:--param ggc-min-heapsize=1048576")
  endif()
  if("undefined" IN_LIST FRESHET_SANITIZE AND NOT folder IN_LIST freshet_fully_checked_folders)
    target_compile_options(${target} PRIVATE -fno-sanitize=null,alignment,vptr,object-size)
  endif()
endfunction()

function(freshet_add_test)
  cmake_parse_arguments(PARSE_ARGV 0 test "" "" "LIBRARIES")
  foreach(file IN LISTS test_UNPARSED_ARGUMENTS)
    string(REGEX MATCH "^[^/]+" folder ${file})
    set(target freshet_${folder}_tests)
    if(NOT FRESHET_EVERY_TEST AND NOT folder IN_LIST freshet_optimiser_folders)
      continue()
    endif()
    if("thread" IN_LIST FRESHET_SANITIZE AND NOT folder IN_LIST freshet_threaded_folders)
      continue()
    endif()
    if(NOT TARGET ${target})
      add_executable(${target})
      target_link_libraries(${target} PRIVATE freshet::freshet Catch2::Catch2WithMain)
      target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
      freshet_own_files(${target})
      freshet_save_compile_time(${target} ${folder})
      freshet_discover_tests(${target} ${folder})
      if(FRESHET_JOIN_TESTS GREATER 1)
        cmake_language(EVAL CODE "cmake_language(DEFER CALL freshet_join_sources ${target})")
      endif()
    endif()
    target_sources(${target} PRIVATE ${file})
    target_link_libraries(${target} PRIVATE ${test_LIBRARIES})
  endforeach()
endfunction()

# Registers the cases of a Catch2 program when ctest starts. Catch2's own module would do it while
# building, and loses names that hold a half-open span such as "[0, 10)".
function(freshet_discover_tests target folder)
  if(Catch2_VERSION VERSION_LESS 3)
    set(list_arguments --list-test-names-only)
    set(run_arguments "--warn NoTests")  # A filter that matches nothing fails.
  else()
    set(list_arguments --list-tests --verbosity quiet)
    set(run_arguments "")  # A filter that matches nothing fails by itself.
  endif()
  set(script ${CMAKE_CURRENT_BINARY_DIR}/${target}_discover.cmake)
  file(GENERATE OUTPUT ${script} CONTENT
"set(discover_program [==[$<TARGET_FILE:${target}>]==])
set(discover_cases [==[${CMAKE_CURRENT_BINARY_DIR}/${target}_cases.cmake]==])
set(discover_prefix [==[${folder}: ]==])
set(discover_list_arguments [==[${list_arguments}]==])
set(discover_run_arguments [==[${run_arguments}]==])
set(discover_environment [==[${freshet_test_environment}]==])
include([==[${PROJECT_SOURCE_DIR}/cmake/discover_tests.cmake]==])
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${script})
endfunction()
