#include "storage/read_streams.hpp"

#include <gtest/gtest.h>

namespace holdfast::storage {
namespace {

constexpr std::uint64_t depth = 1000;

// Of one read of 100 bytes.
struct asked {
    explicit asked(read_streams& streams, std::uint64_t at, std::uint64_t end = UINT64_MAX)
        : range(streams.reads(log_position{at}, log_position{at + 100}, log_position{end})) {}
    read_streams::range range;
    [[nodiscard]] std::uint64_t size() const { return range.until - range.first; }
};

TEST(read_streams, a_single_read_asks_for_nothing) {
    read_streams streams{depth};
    for (std::uint64_t at = 50'000; at > 0; at -= 1'000)
        EXPECT_EQ(asked(streams, at).size(), 0U) << at;
}

TEST(read_streams, a_reader_in_order_is_kept_ahead_of_and_no_byte_is_asked_for_twice) {
    read_streams streams{depth};
    std::uint64_t until = 100;
    for (std::uint64_t at = 0; at < 20'000; at += 90) { // a window ends within an entry, which is read again
        const asked one{streams, at};
        if (one.size() != 0) {
            EXPECT_EQ(one.range.first.value(), at == 90 ? 190 : until);
            until = one.range.until.value();
            EXPECT_GE(one.size(), depth / 2);
        }
        EXPECT_TRUE(at == 0 || until >= at + 100 + depth / 2) << at;
    }
}

// As at the end of a segment: what lies behind is another file's, and is asked for when that is read.
TEST(read_streams, asks_up_to_the_end_and_goes_on_behind_it) {
    read_streams streams{depth};
    std::uint64_t until = 0;
    for (std::uint64_t at = 0; at < 5'000; at += 100)
        if (const asked one{streams, at, 5'000}; one.size() != 0)
            until = one.range.until.value();
    EXPECT_EQ(until, 5'000U);
    EXPECT_EQ(asked(streams, 5'000, 10'000).range.first.value(), 5'100U);
}

TEST(read_streams, several_threads_out_of_step_are_one_reader) {
    read_streams streams{depth};
    std::uint64_t bytes = 0;
    for (std::uint64_t at = 0; at < 20'000; at += 80)
        for (const auto late : {40U, 0U})
            bytes += asked(streams, at + late).size();
    EXPECT_GE(bytes, 20'000U);
    EXPECT_LE(bytes, 20'000U + 2 * depth);
}

TEST(read_streams, eight_readers_do_not_disturb_each_other) {
    read_streams streams{depth};
    std::uint64_t bytes = 0;
    for (std::uint64_t at = 0; at < 9'000; at += 100)
        for (std::uint64_t reader = 0; reader < 8; ++reader)
            bytes += asked(streams, reader * 100'000 + at).size();
    EXPECT_GE(bytes, 8U * 9'000);
}

} // namespace
} // namespace holdfast::storage
