# How freshet's own files are compiled.

# freshet_own_files(<target>): the warnings of this project. Foreign headers come in as system
# headers and stay silent; users of the installed library never see these flags.
function(freshet_own_files target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow
    $<$<BOOL:${FRESHET_WERROR}>:-Werror>)
endfunction()
