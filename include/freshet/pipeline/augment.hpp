// More records of what there is too little of: copies that a function changes, and synthetic
// records between those of a rare class.
//
//     images | fr::augment(3, [](const image& each, std::uint64_t random) { return turned(each,
//     random); }) payments | fr::interpolate_minority("more", {.share = 0.2}, &payment::fraud,
//                                         &payment::amount, &payment::velocity)
//
// Both draw from a hash of the seed and the record's place in the log, never from a generator: the
// same log gives the same rows, whatever batches, tasks and restarts there are. Put neither above
// what estimates or validates: synthetic rows are for training alone.
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/core/codec.hpp>
#include <freshet/core/columns.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/pipeline/detail/pausable_operator.hpp>
#include <freshet/pipeline/detail/row_position.hpp>
#include <freshet/pipeline/quality.hpp>
#include <freshet/pipeline/stream.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/sampling/sampler.hpp>

#include <fmt/core.h>
#include <boost/describe/class.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

namespace detail {

template <class T, class F>
class augment_operator final : public pausable_operator<T, T> {
 public:
  augment_operator(std::uint32_t copies, F f, std::uint64_t seed)
      : copies_(copies), f_(std::move(f)), seed_(seed) {}

 protected:
  bool work(const batch<T>& rows, std::size_t& next) override {
    std::size_t cursor = 0;
    std::size_t row = next;
    bool pauses = false;
    for (; row < rows.size(); ++row) {
      pauses = this->should_pause();
      if (pauses) break;
      add(rows, row, rows.values[row], 0, cursor);
      for (std::uint32_t copy = 1; copy <= copies_; ++copy) {
        const std::uint64_t random =
            combine_hashes(record_hash(seed_, rows.positions[row]), std::uint64_t{copy});
        try {
          add(rows, row, std::invoke(f_, rows.values[row], random), copy, cursor);
        } catch (...) {
          fail_in_user_function(this->context().place, rows.positions[row]);
        }
      }
      if (made_.size() >= batch_rows_max) flush();
    }
    next = row;
    flush();
    return !pauses;
  }
  bool move_to(timestamp) override { return true; }
  void flush() override {
    this->count_out(made_);
    this->out().emit(made_);
  }

 private:
  void add(const batch<T>& rows, std::size_t row, T value, std::uint32_t index,
           std::size_t& cursor) {
    made_.append_row(rows, row, std::move(value), cursor);
    made_.positions.back() = position_of_row(rows.positions[row], index);
  }

  std::uint32_t copies_;
  F f_;
  std::uint64_t seed_;
  batch<T> made_;
};

}  // namespace detail

/// Each record, then `copies` of it as `f(record, random)` makes them, with its event time.
/// `random` is a number of 64 bits that is different for each record and copy, and the same in
/// every run. Record-wise: no state. Throws `std::invalid_argument` for more than 1,000 copies.
template <class F>
auto augment(std::uint32_t copies, F f, std::uint64_t seed = 0) {
  if (copies > 1000) {
    throw std::invalid_argument(
        fmt::format("augment: {} copies are more than 1000; give fewer", copies));
  }
  return [copies, f = std::move(f), seed]<class T>(const stream<T>& upstream) {
    static_assert(std::is_invocable_r_v<T, F&, const T&, std::uint64_t>,
                  "freshet: augment needs a function (const record&, std::uint64_t random) that "
                  "returns a record");
    return detail::add_record_wise<T>(
        upstream, "augment",
        [copies, f, seed] {
          return std::make_unique<detail::augment_operator<T, F>>(copies, f, seed);
        },
        upstream.columns());
  };
}

struct interpolate_options {
  /// The share of the records that a class should have, in (0, 0.5]: a rarer one is filled up.
  double share = 0.1;
  std::uint32_t copies_max = 5;  ///< Synthetic rows for one record at most, 1 .. 100.
  std::uint32_t neighbours = 5;  ///< Of the nearest so many one is drawn, >= 1.
  std::uint32_t remembered =
      64;  ///< The last records of each class among which it looks, 2 .. 1000.
  std::uint32_t classes_max = 32;  ///< The first so many classes are filled up, 1 .. 1000.
  double half_life = 10'000;       ///< In records, > 0: how fast shares of classes follow.
  std::uint64_t seed = 0;

  std::string check() const;
  std::string describe() const;
};

/// A record, and whether it was made. Columns: those of the record, then `synthetic`.
template <class T>
struct synthesized {
  using value_type = T;
  T value{};
  bool synthetic = false;
  BOOST_DESCRIBE_CLASS(synthesized, (), (value, synthetic), (), ())
};

template <has_columns T>
struct columns<synthesized<T>> {
  static std::vector<std::string> names() {
    std::vector<std::string> all = columns<T>::names();
    all.emplace_back("synthetic");
    return all;
  }
  template <class F>
  static void visit(const synthesized<T>& row, F&& f) {
    columns<T>::visit(row.value, f);
    f(row.synthetic);
  }
};

namespace detail {

/// A count that halves, as of a moment counted in records.
struct fading_count {
  double count = 0;
  std::uint64_t as_of = 0;

  double at(std::uint64_t now, double half_life) const {
    return count * std::exp2(-static_cast<double>(now - as_of) / half_life);
  }
  void add(std::uint64_t now, double half_life) {
    count = at(now, half_life) + 1;
    as_of = now;
  }
};
BOOST_DESCRIBE_STRUCT(fading_count, (), (count, as_of))

/// How many synthetic rows a record of a class brings, of which so much is known.
std::uint32_t copies_wanted(const interpolate_options& how, const fading_count& of_class,
                            const fading_count& of_all, std::uint64_t now, double draw);

/// Which of the remembered rows of features is the partner of `features`: one of the nearest,
/// as `draw` in [0, 1) says. \pre there is a remembered row.
std::size_t choose_neighbour(const interpolate_options& how,
                             const std::vector<std::vector<double>>& remembered,
                             const std::vector<double>& features, double draw);

template <class T>
struct class_memory {
  fading_count seen = {};
  std::vector<T> last = {};  ///< A ring.
  std::uint64_t next = 0;
  BOOST_DESCRIBE_CLASS(class_memory, (), (seen, last, next), (), ())
};

template <class T>
struct interpolation_state {
  std::uint64_t records = 0;
  fading_count all = {};
  std::map<std::uint64_t, class_memory<T>> classes = {};  ///< By the hash of the class.
  BOOST_DESCRIBE_CLASS(interpolation_state, (), (records, all, classes), (), ())
};

template <class T, class Class, class... Members>
struct interpolate_function {
  using state = interpolation_state<T>;
  interpolate_options how;
  Class class_of;
  std::tuple<Members...> members;

  void process(const T& record, state& mine, auto& context) {
    context.emit({record, false});
    const std::uint64_t now = ++mine.records;
    mine.all.add(now, how.half_life);
    const std::uint64_t name = stable_hash(std::invoke(class_of, record));
    auto known = mine.classes.find(name);
    if (known == mine.classes.end()) {
      if (mine.classes.size() >= how.classes_max) return;
      known = mine.classes.emplace(name, class_memory<T>{}).first;
    }
    class_memory<T>& memory = known->second;
    memory.seen.add(now, how.half_life);
    const std::vector<double> features = features_of(record);
    // A record that is no point in space has nothing near, and nothing is between.
    if (!std::all_of(features.begin(), features.end(), is_measurable)) return;
    synthesize(record, features, memory, mine, context);
    if (memory.last.size() < how.remembered) {
      memory.last.push_back(record);
    } else {
      memory.last[memory.next++ % memory.last.size()] = record;
    }
  }

 private:
  std::vector<double> features_of(const T& record) const {
    return std::apply(
        [&](const auto&... each) { return std::vector<double>{measured(each, record)...}; },
        members);
  }

  void synthesize(const T& record, const std::vector<double>& features,
                  const class_memory<T>& memory, const state& mine, auto& context) const {
    if (memory.last.empty()) return;
    const std::uint64_t random = record_hash(how.seed, context.order().where);
    const std::uint32_t copies =
        copies_wanted(how, memory.seen, mine.all, mine.records, unit_interval(mix_bits(random)));
    if (copies == 0) return;
    std::vector<std::vector<double>> others;
    for (const T& each : memory.last) others.push_back(features_of(each));
    for (std::uint32_t copy = 1; copy <= copies; ++copy) {
      const std::uint64_t of_copy = combine_hashes(random, std::uint64_t{copy});
      const std::size_t partner = choose_neighbour(how, others, features, unit_interval(of_copy));
      const double part = unit_interval(mix_bits(of_copy));
      T made = record;
      std::size_t i = 0;
      std::apply(
          [&](const auto&... each) {
            (move_towards(made.*each, features[i], others[partner][i], part, i), ...);
          },
          members);
      context.emit({std::move(made), true});
    }
  }
  template <class V>
  static void move_towards(V& value, double from, double to, double part, std::size_t& index) {
    value = static_cast<typename without_optional<V>::type>(from + part * (to - from));
    ++index;
  }
};

}  // namespace detail

/// All records, and after one of a rare class synthetic ones until the class has `options.share` of
/// the records: each lies between the record and one of its nearest among the last of its class,
/// in the members named, which are floats or doubles (optional ones have to be there). Other
/// members are the record's. `class_of` is a member pointer or a function that returns a number,
/// string or bool. Distances are of the numbers as they are: `standardize` them first. A record
/// with a feature that is no measurement makes none. Keyed streams have their own classes per key.
/// \return a stream of `synthesized<record>`; a function of the records in the order of arrival, as
///         `detect_drift` is. Throws as `detect_drift`.
/// \cost   Memory: `classes_max * remembered` records. For each record of a rare class a distance
/// to
///         each remembered one.
/// \source Chawla et al., "SMOTE: synthetic minority over-sampling technique", JAIR 16, 2002; with
///         one part for all features, so that made records lie on a line, and the last records in
///         place of all.
template <class Class, class... Members>
auto interpolate_minority(std::string name, interpolate_options options, Class class_of,
                          Members... members) {
  static_assert(
      sizeof...(Members) > 0 && (std::is_member_object_pointer_v<Members> && ...),
      "freshet: name the numbers to interpolate by member pointers, as in &record::amount");
  return [name = std::move(name), options, class_of = std::move(class_of),
          members = std::tuple(members...)]<class Upstream>(const Upstream& upstream) {
    using record = typename Upstream::value_type;
    static_assert(checkpointable<record>,
                  "freshet: remembered records must be checkpointable; describe them with "
                  "BOOST_DESCRIBE_STRUCT, or specialise freshet::codec");
    static_assert((detail::is_real<Members, record> && ...),
                  "freshet: what is interpolated must be a float or a double, or an optional one; "
                  "map integers to them first");
    detail::require_usable("interpolate_minority '" + name + "'", options.check());
    return detail::add_watching<synthesized<record>>(
        "interpolate_minority", name, options.describe(),
        detail::interpolate_function<record, Class, Members...>{options, class_of, members},
        upstream);
  };
}

}  // namespace freshet
