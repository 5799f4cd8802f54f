#include "network/shared_budget.hpp"

#include <gtest/gtest.h>

namespace holdfast::network {
namespace {

TEST(shared_budget, asks_only_those_above_an_equal_share_to_yield) {
    shared_budget budget{100};
    for (int member = 0; member < 4; ++member)
        budget.join();
    budget.change(0, 80);
    EXPECT_FALSE(budget.must_yield(80)) << "there is still room";
    budget.change(0, 30);
    EXPECT_TRUE(budget.must_yield(80));
    EXPECT_TRUE(budget.must_yield(26));
    EXPECT_FALSE(budget.must_yield(25));
    budget.change(80, 10);
    EXPECT_EQ(budget.used(), 40U);
    EXPECT_FALSE(budget.must_yield(30));
}

} // namespace
} // namespace holdfast::network
