#include "broker/delivery_records.hpp"

#include "tests/broker/random_log.hpp"
#include "tests/broker/unpacked_decisions.hpp"

#include <gtest/gtest.h>

namespace holdfast::broker {
namespace {

using testing::encode_unpacked;
using testing::random_source;

decision made(std::uint64_t half, std::uint32_t group, decision_kind kind) {
    return {log_position{half}, static_cast<std::int64_t>(half), group, kind};
}

std::string bytes(std::initializer_list<int> values) {
    std::string text;
    for (const auto value : values)
        text.push_back(static_cast<char>(value));
    return text;
}

bool is_malformed(const std::string& packed) {
    const auto decoded = decode_decisions(command_kind::packed_decisions, as_bytes(packed));
    return !decoded.ok() && decoded.failure().code == errc::corrupted;
}

// --- golden bytes

TEST(delivery_records, decisions_are_packed_into_few_bytes) {
    const std::vector<decision> decisions{
        made(88, 0x01020304, decision_kind::commit), made(88 + 1344, 0x01020304, decision_kind::rollback),
        made(80, 0x01020304, decision_kind::commit), made(80, 7, decision_kind::commit)};
    const auto packed = encode(decisions);
    EXPECT_EQ(packed, bytes({4, 3, 2, 1, 3, 0, // a run of three
                             11 << 2 | 1,      // eleven eights behind 0, a commit
                             0xA0, 0x05,       // 168 behind that, a rollback
                             0xA3, 0x05,       // 169 before that, a commit
                             7, 0, 0, 0, 1, 0, // a run of one
                             1}));             // the same half, a commit
    const auto decoded = decode_decisions(command_kind::packed_decisions, as_bytes(packed));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(*decoded, decisions);
}

TEST(delivery_records, decisions_of_older_logs_are_still_read) {
    const std::vector<decision> decisions{{log_position{88}, 99, 0x01020304, decision_kind::commit}};
    const auto old = bytes({88, 0, 0, 0, 0, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0, 4, 3, 2, 1, 1});
    EXPECT_EQ(encode_unpacked(decisions), old);
    const auto decoded = decode_decisions(command_kind::decisions, as_bytes(old));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(*decoded, decisions);
    EXPECT_FALSE(decode_decisions(command_kind::decisions, as_bytes(old).first(20)).ok());
}

// --- round trips

TEST(delivery_records, packed_decisions_come_back_wherever_they_point) {
    random_source random{1};
    for (int turn = 0; turn < 2'000; ++turn) {
        std::vector<decision> decisions;
        for (auto count = random.below(40); count > 0; --count) {
            const auto wide = std::uint64_t{random.below(0xFFFFFFFF)} << random.below(32);
            const auto half = random.one_in(8) ? ~std::uint64_t{7} : (wide + random.below(2'000)) & ~7ULL;
            decisions.push_back(made(half, random.below(2),
                                     random.one_in(2) ? decision_kind::commit : decision_kind::rollback));
        }
        const auto packed = encode(decisions);
        ASSERT_LE(packed.size(), decisions.size() * most_decision_bytes);
        const auto decoded = decode_decisions(command_kind::packed_decisions, as_bytes(packed));
        ASSERT_TRUE(decoded.ok());
        ASSERT_EQ(*decoded, decisions);
    }
}

TEST(delivery_records, a_run_of_decisions_is_as_long_as_its_count_can_say) {
    const std::vector<decision> decisions(70'000, made(88, 7, decision_kind::commit));
    const auto decoded = decode_decisions(command_kind::packed_decisions, as_bytes(encode(decisions)));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(*decoded, decisions);
}

// --- what no writer wrote

TEST(delivery_records, malformed_packed_decisions_are_told) {
    EXPECT_FALSE(is_malformed(""));
    EXPECT_TRUE(is_malformed(bytes({4, 3, 2, 1, 1})));
    EXPECT_TRUE(is_malformed(bytes({4, 3, 2, 1, 0, 0}))) << "an empty run";
    EXPECT_TRUE(is_malformed(bytes({4, 3, 2, 1, 1, 0}))) << "a run without its decision";
    EXPECT_TRUE(is_malformed(bytes({4, 3, 2, 1, 2, 0, 5}))) << "half of a run";
    EXPECT_TRUE(is_malformed(bytes({4, 3, 2, 1, 1, 0, 0x80}))) << "a number without its end";
    EXPECT_TRUE(
        is_malformed(bytes({4, 3, 2, 1, 1, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01})))
        << "a number of 64 bits";
    EXPECT_TRUE(is_malformed(bytes({4, 3, 2, 1, 1, 0, 3}))) << "before the log's beginning";
    EXPECT_TRUE(
        is_malformed(bytes({4, 3, 2, 1, 2, 0, 0xFD, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 4})))
        << "further than a position can be";
}

TEST(delivery_records, any_bytes_are_decisions_or_malformed) {
    random_source random{2};
    int understood = 0;
    for (int turn = 0; turn < 20'000; ++turn) {
        std::string packed = encode(std::vector<decision>(
            1 + random.below(4), made(8 * random.below(1'000), 7, decision_kind::commit)));
        for (auto changes = 1 + random.below(3); changes > 0; --changes)
            packed[random.below(static_cast<std::uint32_t>(packed.size()))] =
                static_cast<char>(random.below(256));
        const auto decoded = decode_decisions(command_kind::packed_decisions, as_bytes(packed));
        if (!decoded.ok())
            continue;
        ++understood;
        for (const auto& decided : *decoded)
            ASSERT_TRUE(may_name_a_half(decided));
        const auto again = decode_decisions(command_kind::packed_decisions, as_bytes(encode(*decoded)));
        ASSERT_TRUE(again.ok());
        ASSERT_EQ(*again, *decoded);
    }
    EXPECT_GT(understood, 100);
}

TEST(delivery_records, only_a_halfs_own_two_numbers_can_name_it) {
    auto decided = made(88, 7, decision_kind::commit);
    EXPECT_TRUE(may_name_a_half(decided));
    decided.number = 96;
    EXPECT_FALSE(may_name_a_half(decided)) << "two numbers of two halves";
    EXPECT_FALSE(may_name_a_half(made(89, 7, decision_kind::commit))) << "no record begins there";
}

} // namespace
} // namespace holdfast::broker
