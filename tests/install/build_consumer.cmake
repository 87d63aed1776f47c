# Installs the build tree, configures and builds the consumer against it, runs the consumer.
cmake_minimum_required(VERSION 3.25)

function(run step)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "install test, ${step}: ended with '${status}', wanted 0; see above")
  endif()
endfunction()

file(REMOVE_RECURSE ${scratch})
run("install" ${CMAKE_COMMAND} --install ${build} --prefix ${scratch}/prefix
  --config ${configuration})
run("configure" ${CMAKE_COMMAND} -S ${source} -B ${scratch}/build -G ${generator} -C ${cache}
  -D freshet_ROOT=${scratch}/prefix)
run("build" ${CMAKE_COMMAND} --build ${scratch}/build --config ${configuration})
find_program(consumer consumer REQUIRED NO_DEFAULT_PATH
  PATHS ${scratch}/build ${scratch}/build/${configuration})
run("run" ${CMAKE_COMMAND} -E chdir ${scratch} ${consumer})
