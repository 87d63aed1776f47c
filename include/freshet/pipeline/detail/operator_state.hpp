// What operators share when they write their state and take it up again. Internal.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/schema.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>

#include <utility>
#include <vector>

namespace freshet::detail {

/// The summaries of all instances before, decoded; at least one.
template <class Summary>
std::vector<Summary> read_summaries(const state_reader& from) {
  std::vector<Summary> all;
  for (const std::string_view bytes : from.summaries()) {
    auto each = from_bytes<Summary>(bytes);
    if (!each.ok()) from.fail(each.status());
    all.push_back(*std::move(each));
  }
  if (all.empty()) from.fail("it has no instance");
  return all;
}

/// Hands out the rows of a `keyed_table` that `to` wants: all, or what changed since the last time.
template <class Table, class Put, class Erased>
void write_rows(Table& table, const state_writer& to, Put&& put, Erased&& erased) {
  if (to.everything()) {
    std::as_const(table).for_each(std::forward<Put>(put));
  } else {
    table.take_changes(std::forward<Put>(put), std::forward<Erased>(erased));
  }
}

}  // namespace freshet::detail
