#include "storage/cold_reads.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>

namespace holdfast::storage {
namespace {

TEST(cold_reads_test, two_read_different_parts_at_once) {
    cold_reads reads;
    const cold_reads::turn one{reads, log_position{0}, log_position{100}};
    const cold_reads::turn behind{reads, log_position{100}, log_position{200}};
    EXPECT_FALSE(one.has_waited());
    EXPECT_FALSE(behind.has_waited());
}

TEST(cold_reads_test, who_wants_what_is_being_read_waits_for_it) {
    cold_reads reads;
    std::optional<cold_reads::turn> one;
    one.emplace(reads, log_position{0}, log_position{100});
    std::atomic<bool> is_over{false};
    std::jthread second{[&] {
        const cold_reads::turn turn{reads, log_position{64}, log_position{164}};
        EXPECT_TRUE(turn.has_waited());
        EXPECT_TRUE(is_over);
    }};
    while (reads.waiting() == 0)
        std::this_thread::yield();
    is_over = true;
    one.reset();
}

TEST(cold_reads_test, a_part_is_free_again_afterwards) {
    cold_reads reads;
    for (int round = 0; round < 2; ++round)
        EXPECT_FALSE((cold_reads::turn{reads, log_position{0}, log_position{100}}).has_waited());
}

} // namespace
} // namespace holdfast::storage
