// Training sets as JSON Lines: see connectors/training_set.hpp for what is promised.
//
//     samples | fr::to("training set", fr::training_set::write("training.jsonl", sampler,
//                                                              fr::training_set::jsonl_format{}));
//
// Values without state, safe to share.
#pragma once

#include <freshet/connectors/jsonl.hpp>
#include <freshet/connectors/training_set.hpp>

#include <string>
#include <utility>

namespace freshet::training_set {

/// The format that makes of each row an object: the record's fields, then `probability`, `weight`,
/// `category` and `log_odds`.
struct jsonl_format {
  auto sink(std::string path) const { return jsonl::write(std::move(path)); }
  template <class Row>
  auto source(std::string path) const {
    return jsonl::read<Row>(std::move(path));
  }
};

}  // namespace freshet::training_set
