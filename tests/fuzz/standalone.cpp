// A fuzz driver for compilers without libFuzzer: runs every file of the given corpus folders, then
// seeded random mutations of them.
//
//   NAME_fuzz [-runs=N] [-seed=S] [-max_len=BYTES] FOLDER...
//
// The same seed and folders give the same inputs on every machine: files are visited in order of
// their bytes' path and the generator is written out below. There is no coverage feedback, so this
// finds shallow faults only; the search for deep ones is libFuzzer's (FRESHET_FUZZ).
// Exits 0 after all runs, 1 when an option or folder is unusable. When the target dies, the input
// is left in `crash-input` in the working folder and the place in the sequence is printed. Threads:
// one. Memory: the corpus, and one input of at most max_len bytes.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// Present in sanitizer builds only: sanitizers end the process without raising a signal.
// NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace {

using bytes = std::vector<std::uint8_t>;

struct options {
  std::uint64_t runs = 20000;
  std::uint64_t seed = 1;
  std::size_t input_bytes_max = 4096;
  std::vector<std::filesystem::path> folders;
};

// What the crash handler writes; it may call nothing that allocates.
const bytes* current_input = nullptr;
std::uint64_t current_run = 0;

void save_current_input() {
  if (current_input == nullptr) return;
  const int file = ::open("crash-input", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const bool saved = file >= 0 && ::write(file, current_input->data(), current_input->size()) ==
                                      static_cast<ssize_t>(current_input->size());
  std::array<char, 160> text{};
  const int length = std::snprintf(
      text.data(), text.size(), "fuzz: died in run %llu on %zu bytes; the input is %s\n",
      static_cast<unsigned long long>(current_run), current_input->size(),
      saved ? "in the file crash-input" : "lost, the folder is not writable");
  current_input = nullptr;  // A sanitizer's end may raise a signal after its callback.
  if (length > 0 && ::write(STDERR_FILENO, text.data(), static_cast<std::size_t>(length)) < 0)
    return;
}

void on_signal(int signal_number) {
  save_current_input();
  std::signal(signal_number, SIG_DFL);
  std::raise(signal_number);
}

// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): the same numbers with every standard library.
class generator {
 public:
  explicit generator(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31U);
  }

  /// A number in [0, bound); the bias for small bounds does not matter here. \pre bound > 0.
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }

 private:
  std::uint64_t state_;
};

// Bytes that parsers treat specially, and lengths that decoders must not trust.
constexpr std::array<std::string_view, 20> tokens = {"\"",
                                                     "\"\"",
                                                     ",",
                                                     "\n",
                                                     "\r\n",
                                                     "\r",
                                                     "\t",
                                                     " ",
                                                     "-",
                                                     ".",
                                                     "e999",
                                                     "nan",
                                                     "inf",
                                                     "99999999999999999999",
                                                     "T24:60:61Z",
                                                     "\xef\xbb\xbf",
                                                     "\xff\xff\xff\xff",
                                                     "\xff\xff\xff\xff\xff\xff\xff\xff",
                                                     std::string_view("\0\0\0\0", 4),
                                                     std::string_view("\0\0\0\0\0\0\0\x80", 8)};

std::ptrdiff_t offset(std::size_t position) {
  return static_cast<std::ptrdiff_t>(position);
}

// One random change. `other` is a further seed to splice from.
void mutate(bytes& input, const bytes& other, generator& random) {
  const std::size_t place = random.below(input.size() + 1);
  const bool inside = place < input.size();
  switch (random.below(7)) {
    case 0:
      if (inside) input[place] ^= static_cast<std::uint8_t>(1U << random.below(8));
      break;
    case 1:
      if (inside) input[place] = static_cast<std::uint8_t>(random.next());
      break;
    case 2: {
      const std::string_view token = tokens[random.below(tokens.size())];
      input.insert(input.begin() + offset(place), token.begin(), token.end());
      break;
    }
    case 3: {
      const std::string_view token = tokens[random.below(tokens.size())];
      for (std::size_t i = 0; i < token.size() && place + i < input.size(); ++i) {
        input[place + i] = static_cast<std::uint8_t>(token[i]);
      }
      break;
    }
    case 4: {
      const std::size_t count = std::min(random.below(16) + 1, input.size() - place);
      input.erase(input.begin() + offset(place), input.begin() + offset(place + count));
      break;
    }
    case 5: {
      const std::size_t count = std::min(random.below(64) + 1, input.size() - place);
      const bytes copied(input.begin() + offset(place), input.begin() + offset(place + count));
      const std::size_t target = random.below(input.size() + 1);
      input.insert(input.begin() + offset(target), copied.begin(), copied.end());
      break;
    }
    default: {
      const std::size_t start = random.below(other.size() + 1);
      input.resize(place);
      input.insert(input.end(), other.begin() + offset(start), other.end());
      break;
    }
  }
}

void run_one(const bytes& input, std::uint64_t run) {
  current_run = run;
  current_input = &input;
  // An exact heap copy: AddressSanitizer then sees a read of a single byte past the end.
  const bytes exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  current_input = nullptr;
}

bool read_number(std::string_view text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

// Sets the option that `-name=value` stands for; false when there is none of that name and value.
bool read_option(std::string_view argument, options& chosen) {
  const std::size_t equals = argument.find('=');
  const std::string_view name = argument.substr(0, equals);
  std::uint64_t value = 0;
  if (equals == std::string_view::npos || !read_number(argument.substr(equals + 1), value)) {
    return false;
  }
  if (name == "-runs") {
    chosen.runs = value;
  } else if (name == "-seed") {
    chosen.seed = value;
  } else if (name == "-max_len" && value > 0) {
    chosen.input_bytes_max = static_cast<std::size_t>(value);
  } else {
    return false;
  }
  return true;
}

bool read_options(int argc, char** argv, options& chosen) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.starts_with('-')) {
      chosen.folders.emplace_back(argument);
    } else if (!read_option(argument, chosen)) {
      std::fprintf(stderr, "fuzz: '%s' is no option; write -runs=N, -seed=S or -max_len=BYTES\n",
                   argv[i]);
      return false;
    }
  }
  return true;
}

bool read_corpus(const options& chosen, std::vector<bytes>& corpus) {
  std::vector<std::filesystem::path> paths;
  for (const std::filesystem::path& folder : chosen.folders) {
    std::error_code error;
    for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      if (entry->is_regular_file()) paths.push_back(entry->path());
    }
    if (error) {
      std::fprintf(stderr, "fuzz: cannot read the folder '%s' (%s)\n", folder.c_str(),
                   error.message().c_str());
      return false;
    }
  }
  std::sort(paths.begin(), paths.end());
  for (const std::filesystem::path& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  if (corpus.empty()) {
    std::fputs("fuzz: no seed was found; name a folder that holds at least one file\n", stderr);
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  options chosen;
  std::vector<bytes> corpus;
  if (!read_options(argc, argv, chosen) || !read_corpus(chosen, corpus)) return 1;

  for (const int signal_number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    if (__sanitizer_set_death_callback != nullptr && signal_number != SIGABRT) continue;
    std::signal(signal_number, on_signal);
  }
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(save_current_input);

  std::uint64_t run = 0;
  for (const bytes& input : corpus) run_one(input, run++);

  generator random(chosen.seed);
  for (std::uint64_t mutated = 0; mutated < chosen.runs; ++mutated) {
    bytes input = corpus[random.below(corpus.size())];
    const bytes& other = corpus[random.below(corpus.size())];
    for (std::size_t changes = random.below(4) + 1; changes > 0; --changes) {
      mutate(input, other, random);
    }
    if (input.size() > chosen.input_bytes_max) input.resize(chosen.input_bytes_max);
    run_one(input, run++);
  }
  std::fprintf(stderr, "fuzz: %llu runs over %zu seeds, seed %llu, no fault\n",
               static_cast<unsigned long long>(run), corpus.size(),
               static_cast<unsigned long long>(chosen.seed));
  return 0;
}
