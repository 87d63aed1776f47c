# The program bench/sampling_benchmark: what the samplers do for a model that learns from them.
find_package(CLI11 CONFIG QUIET)

# What its tests share with it.
add_library(sampling_learning STATIC
  sampling/dataset.cpp sampling/mlp.cpp sampling/scores.cpp sampling/statistics.cpp)
target_include_directories(sampling_learning PUBLIC sampling)
target_link_libraries(sampling_learning PUBLIC freshet::freshet)
freshet_own_files(sampling_learning)
# Its loops are the cost that sampling saves: they should be as fast as they easily can be.
set_source_files_properties(sampling/mlp.cpp PROPERTIES COMPILE_OPTIONS "-O3;-fno-math-errno")

if(NOT TARGET CLI11::CLI11)
  message(STATUS "freshet: no benchmark sampling_benchmark, CLI11::CLI11 was not found")
  return()  # Of this file.
endif()
add_executable(sampling_benchmark
  sampling/main.cpp sampling/study.cpp sampling/trial.cpp sampling/flights.cpp sampling/images.cpp)
target_link_libraries(sampling_benchmark PRIVATE
  sampling_learning CLI11::CLI11 Boost::iostreams)
freshet_own_files(sampling_benchmark)
