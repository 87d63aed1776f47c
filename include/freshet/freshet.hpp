// freshet: everything but the connectors. Include the connectors you use beside it.
//
// Pure declarations; see the single headers for what each part promises.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/distinct.hpp>
#include <freshet/aggregate/moments.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/core/batch.hpp>
#include <freshet/core/codec.hpp>
#include <freshet/core/columns.hpp>
#include <freshet/core/fields.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/core/record.hpp>
#include <freshet/core/time.hpp>
#include <freshet/core/time_text.hpp>
#include <freshet/core/weighted.hpp>
#include <freshet/pipeline/aggregating_state.hpp>
#include <freshet/pipeline/count_windowing.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/ordering.hpp>
#include <freshet/pipeline/pane.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/sampling.hpp>
#include <freshet/pipeline/stream.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/pipeline/with_panes.hpp>
#include <freshet/sampling/rarity.hpp>
#include <freshet/sampling/sampler.hpp>
#include <freshet/state/backend.hpp>
#include <freshet/state/keyed_state.hpp>
#include <freshet/state/timers.hpp>
#include <freshet/state/ttl.hpp>
#include <freshet/window/assigner.hpp>
#include <freshet/window/calendar.hpp>
#include <freshet/window/count.hpp>
#include <freshet/window/global.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/session_by.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>
#include <freshet/window/watermark.hpp>
