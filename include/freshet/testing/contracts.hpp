// The contracts of everything an application can add to freshet, for its own tests.
//
//     check_window_assigner(my_windows{.size = 2s});
//     check_aggregate(my_aggregate{"longest"}, [](contract_random& random) { return my_row{...};
//     });
//
// They depend on no test framework, run on the calling thread, and are repeatable by their seed; a
// broken promise is thrown as `contract_violation`. See contract.hpp.
#pragma once

#include <freshet/testing/aggregate_contract.hpp>
#include <freshet/testing/contract.hpp>
#include <freshet/testing/window_contract.hpp>
