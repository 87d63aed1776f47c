// table and lookup: records enriched by what a table holds for their key when they come.
//
//     auto accounts = account_changes | fr::key_by(&account::id)
//                   | fr::table("accounts", &account::closed, {.max_keys = 1'000'000});
//     auto enriched = payments | fr::key_by(&payment::account)
//                   | fr::lookup<fr::join_type::left>("enriched", accounts,
//                         [](const payment& p, const account* a) { return ...; });
//
//     changes   ---v1----------v2---
//     records   ------a----b------c--     rows (a, v1), (b, v1), (c, v2)
//
// A table is a description: of the stream of its changes, each of which replaces the row of its
// key, or deletes it. What looks it up keeps the rows, as state of its own, next to the records of
// the same keys.
// Time and order: a lookup takes what has arrived. `run_summary::unpromised` therefore says
// "unversioned lookup"; `temporal_join` goes by event time and is a function of the log. Threads:
// one task. Memory: one row per key. Cost: one look into a hash table per record.
// \source Kafka Streams' KStream-KTable join; Flink SQL's lookup join.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/detail/optional.hpp>
#include <freshet/pipeline/either.hpp>
#include <freshet/pipeline/join_type.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/state/keyed_state.hpp>

#include <boost/describe/class.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

namespace freshet {

/// Options of `table`.
struct table_options {
  /// How many keys one task may hold of it. A change that would make them more ends the job with a
  /// status that names operator, table and record: a table wider than memory is no accident to be
  /// hushed up.
  std::size_t max_keys = std::numeric_limits<std::size_t>::max();
};

namespace detail {

struct deletes_no_row {
  template <class R>
  bool operator()(const R&) const {
    return false;
  }
};

/// Throws when a task holds more keys than it may.
void require_room_in_table(const std::string& table, const table_options& options,
                           std::size_t held);

}  // namespace detail

/// What `table` makes: the changes, and how they are meant.
template <class R, class KeyOf, class Deletes>
struct table_description {
  using value_type = R;
  std::string name;
  keyed_stream<R, KeyOf> changes;
  Deletes deletes;
  table_options options;
};

/// A table of the newest row of each key of a keyed stream. A change for which `deletes(row)` is
/// true, a member pointer or a function that returns a bool, takes the row away. `name`: for
/// messages.
template <class Deletes>
  requires(!std::same_as<Deletes, table_options>)
auto table(std::string name, Deletes deletes, table_options options = {}) {
  return [name = std::move(name), deletes = std::move(deletes),
          options]<class Upstream>(const Upstream& upstream) {
    if constexpr (requires { upstream.key_of(); }) {
      return [&]<class R, class KeyOf>(const keyed_stream<R, KeyOf>& changes) {
        static_assert(std::is_invocable_r_v<bool, const Deletes&, const R&>,
                      "freshet: table needs a member pointer or a function of one row that returns "
                      "whether it deletes the row of its key");
        static_assert(checkpointable<R>,
                      "freshet: rows of a table must be checkpointable; describe them with "
                      "BOOST_DESCRIBE_STRUCT, or specialise freshet::codec");
        return table_description<R, KeyOf, Deletes>{name, changes, deletes, options};
      }(upstream);
    } else {
      static_assert(!std::is_same_v<Upstream, Upstream>,
                    "freshet: table needs to know which rows replace each other; put "
                    "key_by(&row::key) before it");
    }
  };
}

/// The same, of which no row is ever deleted.
inline auto table(std::string name, table_options options = {}) {
  return table(std::move(name), detail::deletes_no_row{}, options);
}

namespace detail {

template <class R>
struct looked_up {
  value_state<R> row;
  BOOST_DESCRIBE_CLASS(looked_up, (), (row), (), ())
};

/// The process function behind `lookup`.
template <join_type Type, class L, class R, class Deletes, class Combine>
class looking_up {
 public:
  using state = looked_up<R>;
  using row = combined_row<Type, Combine, L, R>;

  looking_up(std::string table, table_options options, Deletes deletes, Combine combine)
      : table_(std::move(table)),
        options_(options),
        deletes_(std::move(deletes)),
        combine_(std::move(combine)) {}

  template <class Context>
  void process(either<L, R>&& one, state& mine, Context& context) {
    if (one.is_left()) {
      const R* found = mine.row.get();
      if (found == nullptr && Type == join_type::inner) {
        context.count_unassigned();
        return;
      }
      auto made = combine_records<Type>(combine_, &std::as_const(one).left(), found);
      if constexpr (is_optional<decltype(made)>) {
        if (made) context.emit(*std::move(made));
      } else {
        context.emit(std::move(made));
      }
    } else if (std::invoke(deletes_, std::as_const(one).right())) {
      mine.row.clear();
    } else {
      mine.row.set(std::move(one.right()));
      require_room_in_table(table_, options_, context.keys_held());
    }
  }

 private:
  std::string table_;
  table_options options_;
  Deletes deletes_;
  Combine combine_;
};

}  // namespace detail

/// A row for each record of a keyed stream: `combine(const L&, const R&)` of it and the row that
/// the table holds for its key at this moment. A record for which it holds none has no row and is
/// counted as `operator_metrics::unassigned`; with `lookup<join_type::left>`, `combine(const L&,
/// const R*)` gets null. An empty optional row is no row. `name` identifies the state across
/// restarts.
/// Throws `std::invalid_argument` when only one of the streams has event times, they belong to
/// different pipelines, or another one has the name.
template <join_type Type = join_type::inner, class R, class KeyOfR, class Deletes, class Combine>
auto lookup(std::string name, table_description<R, KeyOfR, Deletes> table, Combine combine) {
  static_assert(Type == join_type::inner || Type == join_type::left,
                "freshet: a lookup gives rows of records; its type is inner or left");
  return [name = std::move(name), table = std::move(table),
          combine = std::move(combine)]<class Left>(const Left& upstream) {
    if constexpr (requires { upstream.key_of(); }) {
      using left_record = typename Left::value_type;
      if constexpr (detail::require_combine<Combine, left_record, R, Type>()) {
        using function = detail::looking_up<Type, left_record, R, Deletes, Combine>;
        return [&]<class T, class KeyOf>(const keyed_stream<T, KeyOf>& both) {
          return detail::add_process<typename function::row, void, T, KeyOf, function>(
              {.kind = "lookup", .name = name, .order = "unversioned lookup"},
              function(table.name, table.options, table.deletes, combine), both,
              {both.records().from()});
        }(connect(upstream, table.changes));
      }
    } else {
      static_assert(!std::is_same_v<Left, Left>,
                    "freshet: lookup needs to know which row each record wants; put "
                    "key_by(&record::key) before it");
    }
  };
}

}  // namespace freshet
