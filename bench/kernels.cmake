# Four jobs compiled once, and who measures them: kernels/kernels.hpp.
add_library(bench_kernels STATIC
  kernels/chain.cpp kernels/chain_scalar.cpp kernels/chain_vectorised.cpp kernels/windows.cpp)
set_source_files_properties(kernels/chain_scalar.cpp PROPERTIES
  COMPILE_OPTIONS $<$<CXX_COMPILER_ID:GNU>:-fno-tree-vectorize>)
set_source_files_properties(kernels/chain_vectorised.cpp PROPERTIES COMPILE_OPTIONS -O3)
target_include_directories(bench_kernels PUBLIC kernels)
target_link_libraries(bench_kernels PUBLIC freshet::freshet)
freshet_own_files(bench_kernels)

# The guard: instructions per event, which a test compares with a file of known counts.
add_library(bench_guard STATIC kernels/guard.cpp)
target_include_directories(bench_guard PUBLIC kernels)
target_compile_features(bench_guard PUBLIC cxx_std_20)
target_link_libraries(bench_guard PRIVATE fmt::fmt)
freshet_own_files(bench_guard)

find_path(FRESHET_CALLGRIND_INCLUDE valgrind/callgrind.h)
mark_as_advanced(FRESHET_CALLGRIND_INCLUDE)
if(NOT FRESHET_CALLGRIND_INCLUDE)
  message(STATUS "freshet: no counts of instructions, valgrind/callgrind.h was not found")
  return()  # Of this file.
endif()
add_executable(kernel_instructions kernels/instructions.cpp)
target_include_directories(kernel_instructions SYSTEM PRIVATE ${FRESHET_CALLGRIND_INCLUDE})
target_link_libraries(kernel_instructions PRIVATE bench_kernels bench_guard)
freshet_own_files(kernel_instructions)
if(FRESHET_TESTS AND CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT FRESHET_SANITIZE)
  add_test(NAME "bench: no kernel takes more instructions than it did"
    COMMAND kernel_instructions ${CMAKE_CURRENT_SOURCE_DIR}/kernels/baseline.txt)
  set_tests_properties("bench: no kernel takes more instructions than it did" PROPERTIES
    SKIP_RETURN_CODE 77)
endif()
