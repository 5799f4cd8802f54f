#include "storage/key_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <string>

namespace holdfast::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto largest = std::numeric_limits<std::uint64_t>::max();
constexpr auto latest = std::numeric_limits<std::int64_t>::max();
constexpr auto earliest = std::numeric_limits<std::int64_t>::min();

key_entry entry(std::uint64_t hash, std::uint64_t position, std::int64_t stored_at_ms = 0) {
    return {hash, log_position{position}, timestamp_ms{stored_at_ms}};
}

std::vector<std::byte> packed(const std::vector<key_entry>& entries) {
    std::vector<std::byte> scratch;
    const auto row = pack_key_row(entries, scratch);
    return {row.begin(), row.end()};
}

std::vector<key_entry> unpacked(byte_view bytes) {
    const auto row = key_row::parse(bytes);
    EXPECT_TRUE(row.has_value());
    std::vector<key_entry> entries;
    for (std::size_t i = 0; row && i < row->size(); ++i) {
        entries.push_back(row->entry(i));
        EXPECT_EQ(row->hash(i), entries.back().hash);
    }
    return entries;
}

std::string hex(byte_view bytes) {
    std::string text;
    for (const auto byte : bytes) {
        constexpr std::string_view digits = "0123456789abcdef";
        text += digits[std::to_integer<std::size_t>(byte >> 4U)];
        text += digits[std::to_integer<std::size_t>(byte & std::byte{0xF})];
    }
    return text;
}

// Stored on disk.
TEST(key_rows, bytes_are_golden) {
    EXPECT_EQ(hex(packed({entry(0x1122334455667788, 0x0A0B0C, 1'700'000'000'000)})),
              "0101"               // count
              "088877665544332211" // widths 8 and 0, the hash
              "030c0b0a"           // the position
              "060068e5cf8b01");   // the time
    EXPECT_EQ(hex(packed({entry(0x20, 0x100, 7), entry(0x10, 0x300, 7), entry(0x11, 0, 0x107)})), "0103"
                                                                                                  "1110"
                                                                                                  "10"
                                                                                                  "00"
                                                                                                  "01"
                                                                                                  "20"
                                                                                                  "0001"
                                                                                                  "0003"
                                                                                                  "0000"
                                                                                                  "2107"
                                                                                                  "0000"
                                                                                                  "0000"
                                                                                                  "0001");
}

TEST(key_rows, what_was_packed_is_read) {
    for (const auto& entries : std::vector<std::vector<key_entry>>{
             {entry(0, 0)},
             {entry(largest, largest, latest)},
             {entry(5, 6, 7), entry(5, 6, 7)},
             {entry(0, largest, -1), entry(largest, 0, 1)},
             {entry(1, 2, earliest), entry(3, 4, latest), entry(5, 6, 0)},
             std::vector<key_entry>(70'000, entry(1, 2, 3)),
         })
        EXPECT_EQ(unpacked(packed(entries)), entries);
}

TEST(key_rows, random_ones_of_every_width_are_read) {
    std::mt19937_64 random{5};
    for (int round = 0; round < 2'000; ++round) {
        const auto any = [&](std::uint64_t shift) { return random() >> shift; };
        const auto hashes = random() % 64;
        const auto positions = random() % 64;
        const auto times = random() % 64;
        std::vector<key_entry> entries(1 + random() % 20);
        for (auto& one : entries)
            one = entry(any(hashes), any(positions), static_cast<std::int64_t>(any(times)));
        ASSERT_EQ(unpacked(packed(entries)), entries);
    }
}

TEST(key_rows, other_sizes_are_no_row) {
    auto bytes = packed({entry(0x20, 0x100, 7), entry(0x10, 0x300, earliest), entry(0x11, 0, 0x107)});
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(key_row::parse({bytes.data(), size})) << size;
    bytes.push_back(std::byte{0});
    EXPECT_FALSE(key_row::parse(bytes));
}

// A reader that believed them would read far behind the row.
TEST(key_rows, impossible_widths_are_no_row) {
    const auto bytes = packed({entry(0x20, 0x100, 7), entry(0x10, 0x300, 9)});
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        for (int value = 0; value < 256; ++value) {
            auto changed = bytes;
            changed[i] = static_cast<std::byte>(value);
            if (const auto row = key_row::parse(changed); row && row->size() > 0)
                (void)row->entry(row->size() - 1); // the sanitizers watch
        }
    }
    auto changed = bytes;
    changed[0] = std::byte{5}; // bytes of the count
    EXPECT_FALSE(key_row::parse(changed));
    changed = bytes;
    changed[2] = std::byte{0x19}; // bytes of the smallest hash
    EXPECT_FALSE(key_row::parse(changed));
    changed[2] = std::byte{0x91}; // and of the distances
    EXPECT_FALSE(key_row::parse(changed));
}

TEST(key_rows, entries_are_dealt_by_the_top_bits_in_the_order_they_came) {
    const std::uint64_t step = largest / key_buckets + 1;
    const std::vector entries{entry(largest, 10),      entry(step, 30), entry(step - 1, 20),
                              entry(2 * step - 1, 12), entry(step, 9),  entry(step, 31)};
    key_dealer dealer;
    for (int again = 0; again < 2; ++again) {
        dealer.deal(entries, log_position{10}, log_position{31});
        EXPECT_THAT(dealer.bucket(0), ElementsAre(entries[2]));
        EXPECT_THAT(dealer.bucket(1), ElementsAre(entries[1], entries[3]));
        EXPECT_THAT(dealer.bucket(2), IsEmpty());
        EXPECT_THAT(dealer.bucket(key_buckets - 1), ElementsAre(entries[0]));
    }
    dealer.deal({}, log_position{0}, log_position{1});
    EXPECT_THAT(dealer.bucket(0), IsEmpty());
}

} // namespace
} // namespace holdfast::storage
