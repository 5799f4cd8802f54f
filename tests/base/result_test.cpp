#include "base/result.hpp"

#include <gtest/gtest.h>
#include <sstream>

namespace holdfast {
namespace {

result<int> half_of(int number) {
    if (number % 2 != 0)
        return error{errc::invalid_argument, "odd"};
    return number / 2;
}

TEST(result, carries_a_value_or_a_reason) {
    EXPECT_EQ(half_of(4).value(), 2);
    const auto failed = half_of(3);
    ASSERT_FALSE(failed.ok());
    std::ostringstream text;
    text << failed.failure();
    EXPECT_EQ(text.str(), "invalid argument: odd");
}

TEST(result, reading_the_value_of_a_failure_is_a_bug) {
    EXPECT_DEATH((void)half_of(3).value(), "broken invariant");
}

} // namespace
} // namespace holdfast
