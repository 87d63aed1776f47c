// Boost.JSON, compiled once; its library is a package of its own.
#include <boost/json/src.hpp>
