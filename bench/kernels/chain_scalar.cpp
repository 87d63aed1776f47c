// Compiled with -O2 -fno-tree-vectorize.
#include "chain_loop.hpp"

#include "chain_loop.inc"

namespace kernels {

answer chain_scalar_loop(const load& of) {
  return chain_loop(of);
}

}  // namespace kernels
