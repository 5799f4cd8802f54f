#include "client/delivery_turn.hpp"

#include <gtest/gtest.h>

namespace holdfast::client {
namespace {

TEST(DeliveryTurn, BelongsToOneMessageAtATime) {
    delivery_turn turn;
    const auto ticket = turn.take();
    EXPECT_NE(ticket, 0U);
    EXPECT_EQ(turn.take(), 0U);
    EXPECT_FALSE(turn.is_out());
    EXPECT_TRUE(turn.hand_out(ticket));
    EXPECT_TRUE(turn.is_out());
    EXPECT_FALSE(turn.hand_out(ticket)) << "a ticket is good for once";
    EXPECT_EQ(turn.take(), 0U);
    turn.end();
    EXPECT_NE(turn.take(), 0U);
}

TEST(DeliveryTurn, CountsTheRetriesOfOneMessage) {
    delivery_turn turn;
    turn.hand_out(turn.take());
    const auto again = turn.again();
    EXPECT_EQ(turn.retries(), 1U);
    EXPECT_TRUE(turn.hand_out(again));
    turn.again();
    EXPECT_EQ(turn.retries(), 2U);
    turn.end();
    EXPECT_EQ(turn.retries(), 0U);
}

TEST(DeliveryTurn, DoesNotTakeAWithdrawnTicketForANewerOne) {
    delivery_turn turn;
    const auto old = turn.take();
    turn.withdraw();
    const auto fresh = turn.take();
    EXPECT_NE(fresh, 0U);
    EXPECT_FALSE(turn.hand_out(old));
    turn.withdraw(old);
    EXPECT_TRUE(turn.hand_out(fresh));
    turn.withdraw();
    EXPECT_TRUE(turn.is_out()) << "what is out can't be called back";
}

} // namespace
} // namespace holdfast::client
