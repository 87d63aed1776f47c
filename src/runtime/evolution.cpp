#include "evolution.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace freshet::detail {

namespace {

absl::StatusOr<value_converter> converter(std::string_view what, std::string_view written,
                                          const value_schema& wanted) {
  absl::StatusOr<value_converter> made = value_converter::make(written, wanted);
  if (made.ok()) return made;
  return absl::FailedPreconditionError(fmt::format(
      "{} of format [{}], the pipeline's is [{}]: {}; give what changed another name, run it as it "
      "was, or give a new directory",
      what, written, wanted.text, std::string(made.status().message())));
}

}  // namespace

absl::StatusOr<state_conversion> state_conversion::make(const operator_record& found,
                                                        const state_layout& wanted) {
  state_conversion all;
  all.state_ = found.state;
  absl::StatusOr<value_converter> of_summary =
      converter("a summary", found.summary_format, wanted.summary);
  if (!of_summary.ok()) return of_summary.status();
  all.identical_ = of_summary->identical();
  all.summary_ = *std::move(of_summary);
  for (const row_format& each : found.row_formats) {
    const auto now = std::find_if(wanted.rows.begin(), wanted.rows.end(),
                                  [&](const row_layout& of) { return of.tag == each.tag; });
    if (now == wanted.rows.end()) {
      return absl::FailedPreconditionError(
          fmt::format("rows of kind '{}', which the pipeline does not know; run it as it was, or "
                      "give a new directory",
                      each.tag));
    }
    absl::StatusOr<value_converter> of_row = converter("rows", each.format, now->schema);
    if (!of_row.ok()) return of_row.status();
    all.identical_ &= of_row->identical();
    all.rows_.push_back({each.tag, *std::move(of_row)});
  }
  return all;
}

absl::StatusOr<std::string> state_conversion::summary(std::string_view bytes) const {
  return summary_->convert(bytes);
}

absl::StatusOr<std::string> state_conversion::row(std::string_view key,
                                                  std::string_view value) const {
  for (const row_conversion& each : rows_) {
    if (key.starts_with(each.tag)) return each.convert.convert(value);
  }
  return absl::DataLossError("a row of a kind that its manifest does not describe");
}

absl::Status state_conversion::rewrite(state_backend& backend,
                                       std::span<const state_change_view> changes,
                                       std::vector<state_change>& others) const {
  const auto number = encode_state_number(state_);
  const std::string prefix(number.begin(), number.end());
  const auto before = [](const state_change_view& each, std::string_view key) {
    return each.key < key;
  };
  return backend.scan(prefix, [&](std::string_view key, std::string_view value) -> absl::Status {
    const auto found = std::lower_bound(changes.begin(), changes.end(), key, before);
    if (found != changes.end() && found->key == key) return absl::OkStatus();
    if (key.size() < key_prefix_bytes || value.size() < expiry_bytes) {
      return absl::DataLossError("its state is damaged (a row is too short)");
    }
    absl::StatusOr<std::string> converted =
        row(key.substr(key_prefix_bytes), value.substr(expiry_bytes));
    if (!converted.ok()) return converted.status();
    others.push_back({std::string(key), std::string(value.substr(0, expiry_bytes)) + *converted});
    return absl::OkStatus();
  });
}

}  // namespace freshet::detail
