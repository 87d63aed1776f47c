// expect: a size must be positive (give one above 0)
// The mechanism's own example of a wrong program with a fixed twin.
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
