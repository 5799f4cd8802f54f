// The ledger of the demonstration: it must not say that nothing was lost when something was.
#include "examples/demo_ledger.hpp"

#include <gtest/gtest.h>

#include <initializer_list>

namespace holdfast::demo {
namespace {

ledger::sums added_up(std::initializer_list<const char*> lines) {
    ledger book;
    for (const auto* line : lines)
        book.note(line);
    return book.add_up();
}

TEST(demo_ledger, what_was_answered_must_be_worked_on) {
    EXPECT_TRUE(added_up({"sent a", "answered a", "got a", "done a"}).good());
    const auto lost = added_up({"sent a", "answered a", "sent b", "answered b", "got b", "done b"});
    EXPECT_FALSE(lost.good());
    EXPECT_EQ(lost.lost, 1U);
    EXPECT_EQ(lost.example_lost, "a");
    EXPECT_FALSE(added_up({"sent a", "answered a", "got a"}).good()) << "delivered is not acknowledged";
    EXPECT_TRUE(added_up({"sent a"}).good()) << "nobody promised it";
}

TEST(demo_ledger, what_the_database_has_must_be_worked_on_even_if_nobody_answered) {
    EXPECT_FALSE(added_up({"sent a", "decided a"}).good());
    EXPECT_TRUE(added_up({"sent a", "decided a", "got a", "done a"}).good());
}

TEST(demo_ledger, what_the_database_refused_must_not_be_seen) {
    EXPECT_TRUE(added_up({"sent a", "answered a", "refused a"}).good());
    const auto seen = added_up({"sent a", "answered a", "refused a", "got a", "done a"});
    EXPECT_FALSE(seen.good());
    EXPECT_EQ(seen.wrongly_seen, 1U);
}

TEST(demo_ledger, second_deliveries_are_counted_and_no_loss) {
    const auto twice =
        added_up({"sent a", "answered a", "got a", "got a", "done a", "done a", "trouble x y", "odd"});
    EXPECT_TRUE(twice.good());
    EXPECT_EQ(twice.duplicates, 1U);
    EXPECT_EQ(twice.delivered, 1U);
}

} // namespace
} // namespace holdfast::demo
