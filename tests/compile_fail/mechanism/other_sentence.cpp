// expect: a size must be even
// One of the mechanism's own examples; right_sentence.cpp is the correct one.
template <int Size>
struct sized {
  static_assert(Size > 0, "a size must be positive (give one above 0)");
};

#ifdef FRESHET_FIXED
using used = sized<1>;
#else
using used = sized<0>;
#endif

used value;
