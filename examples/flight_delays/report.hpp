// What the flight_delays example prints: tables of a few lines, gathered row by row.
//
// Plain values, used by the one thread in which the job runs. Memory: one row per name.
#pragma once

#include <freshet/core/time.hpp>

#include <cstdint>
#include <map>
#include <string>

/// The largest row of each name, and the largest few of those as a table.
class worst_of_each {
 public:
  /// \param count how many flights or events the row is about.
  /// \param value what is compared, in minutes.
  void add(const std::string& name, freshet::timestamp begin, std::uint64_t count, double value);

  /// Prints the rows with the largest values to standard output, `rows_max` at most.
  void print(const std::string& title, const std::string& count_title,
             const std::string& value_title, int rows_max) const;

 private:
  struct row {
    freshet::timestamp begin;
    std::uint64_t count = 0;
    double value = 0;
  };
  std::map<std::string, row> worst_;
};

/// How a sample compares with all there was.
class sample_check {
 public:
  void add_to_all(bool late) {
    ++all_;
    all_late_ += late ? 1 : 0;
  }
  void add_to_kept(bool late, double weight) {
    ++kept_;
    kept_late_ += late ? 1 : 0;
    estimated_late_ += late ? weight : 0;
  }
  void print() const;

 private:
  std::uint64_t all_ = 0, all_late_ = 0, kept_ = 0, kept_late_ = 0;
  double estimated_late_ = 0;
};
