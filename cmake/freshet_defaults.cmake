# Defaults that only a top-level build may set: a host project that adds freshet as a folder keeps
# its own build type, flags and launchers.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug or Release" FORCE)
endif()

# -O2 rather than CMake's -O3: this is what users and distributions compile with, and what the
# header cost in bench/header_cost.sh is measured at.
if(CMAKE_CXX_FLAGS_RELEASE STREQUAL "-O3 -DNDEBUG")
  set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG" CACHE STRING "Flags of a release build" FORCE)
endif()

find_program(CCACHE_PROGRAM ccache)
mark_as_advanced(CCACHE_PROGRAM)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

# Sanitizers apply to every target of the build, because one uninstrumented object is enough to
# lose a report. -O1 keeps the instrumented tests within a few times the release build's time.
if(FRESHET_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "FRESHET_FUZZ: the compiler is ${CMAKE_CXX_COMPILER_ID}, libFuzzer needs "
      "clang; configure with -DCMAKE_CXX_COMPILER=clang++-19, or leave FRESHET_FUZZ off")
  endif()
  if(NOT FRESHET_SANITIZE)
    set(FRESHET_SANITIZE "address;undefined" CACHE STRING "Sanitizers" FORCE)
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(FRESHET_SANITIZE)
  list(JOIN FRESHET_SANITIZE "," sanitizers)
  if(NOT sanitizers MATCHES "^(address,undefined|undefined,address|address|undefined|thread)$")
    message(FATAL_ERROR "FRESHET_SANITIZE: '${FRESHET_SANITIZE}' is not known; "
      "write \"address;undefined\" or \"thread\", or leave it empty")
  endif()
  add_compile_options(
    -fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer -O1)
  add_link_options(-fsanitize=${sanitizers})
  if(sanitizers STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)  # g++ warns on every std::atomic_thread_fence.
  endif()
  unset(sanitizers)
endif()
if(FRESHET_SANITIZE OR CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_definitions(_GLIBCXX_ASSERTIONS)  # _GLIBCXX_DEBUG would break RocksDB's interface.
endif()
