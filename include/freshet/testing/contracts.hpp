// The contracts of everything an application can add to freshet, for its own tests.
//
//     check_window_assigner(my_windows{.size = 2s});
//     check_watermark_generator(my_generator{});
//     check_aggregate(my_aggregate{"longest"}, [](contract_random& random) { ... });
//     check_sampler(my_sampler{}, make_record);
//     check_source(my_source("input"));
//     check_sink<row>([] { return sink_place<row>{open, published}; }, rows);
//     testing::check_backend([] { return open_my_backend("place"); });
//
// They depend on no test framework, run on the calling thread, and are repeatable by their seed; a
// broken promise is thrown as `contract_violation` (a std::runtime_error) or std::runtime_error.
#pragma once

#include <freshet/testing/aggregate_contract.hpp>
#include <freshet/testing/backend_contract.hpp>
#include <freshet/testing/contract.hpp>
#include <freshet/testing/sampler_contract.hpp>
#include <freshet/testing/sink_contract.hpp>
#include <freshet/testing/source_contract.hpp>
#include <freshet/testing/watermark_contract.hpp>
#include <freshet/testing/window_contract.hpp>
