// What the sampling benchmark learns from: rows of numbers with labels, in the order of time.
//
// Plain values. Made once per run of the program, then only read.
#pragma once

#include <freshet/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sampling_benchmark {

namespace fr = freshet;

/// Rows of equal length, one after the other, and the label of each.
struct labelled_rows {
  std::vector<float> numbers;
  std::vector<std::uint8_t> labels;

  std::size_t size() const { return labels.size(); }
};

struct dataset {
  std::string name;
  std::string about;         ///< One line: rows, shares, where from.
  std::size_t features = 0;  ///< Numbers in a row.
  std::size_t classes = 2;
  labelled_rows train;               ///< In the order of time.
  std::vector<fr::timestamp> times;  ///< Of `train`, ascending.
  labelled_rows validation;          ///< Never trained on: tunes learning rates and thresholds.
  labelled_rows test;
  std::size_t curve_rows = 0;  ///< The learning curve is drawn on so many of the first test rows.
  fr::duration half_life{};    ///< What the samplers are told.
};

/// Shifts and scales each number to mean 0 and deviation 1 in the training rows.
void standardise(dataset& data);

/// The flights of the CSV file `path`: which arrive 45 minutes late or later, from what is known 30
/// minutes before departure. Rolling means of delays come from freshet's trailing windows. Throws
/// `std::runtime_error` when the file cannot be read.
dataset read_flights(const std::string& path);

/// A folder with the four idx files of Fashion-MNIST: Debian's, which is installed when it is
/// absent and the program runs as root. Empty when there is none; the reason goes to stderr.
std::string find_images();

/// Fashion-MNIST with class c reduced to 5900 * 100^(-c/9) images for training, evenly among its
/// own. Throws `std::runtime_error` when a file is absent or damaged.
dataset read_images(const std::string& folder);

/// Two classes, 5 % of the rows in the second, that a line does not separate: for a quick look at
/// the program itself. `rows` are made, a fifth of them for the test.
dataset make_rows(std::size_t rows);

}  // namespace sampling_benchmark
