#include "protocol/message_id.hpp"
#include "tests/protocol/protocol_helpers.hpp"

#include <gtest/gtest.h>

#include <set>

namespace holdfast::protocol {
namespace {

// T4: clients dial the host and parse the position out of it.
TEST(MessageId, T4RoundTrip) {
    random_source random{4};
    for (int round = 0; round < 1000; ++round) {
        const ipv4_host host{static_cast<std::uint32_t>(random.int32()),
                             static_cast<std::int32_t>(random.between(0, 65535))};
        const log_position position{static_cast<std::uint64_t>(random.between(0, INT64_MAX))};
        const std::string text = make_message_id(host, position);
        EXPECT_EQ(text.size(), message_id_chars);
        const auto id = parse_message_id(text);
        ASSERT_TRUE(id);
        EXPECT_EQ(id->host.to_ipv4(), host);
        EXPECT_EQ(id->position, position);
        EXPECT_EQ(std::stoull(text.substr(16), nullptr, 16), position.value());
    }
}

TEST(MessageId, Ipv6AndLowerCaseAreRead) {
    const auto id = parse_message_id("00000000000000000000ffff0a00000100002a9f00000000000000ff");
    ASSERT_TRUE(id);
    EXPECT_TRUE(id->host.is_ipv6);
    EXPECT_EQ(to_string(id->host.to_ipv4()), "10.0.0.1:10911");
    EXPECT_EQ(id->position, log_position{255});
}

TEST(MessageId, RefusesWhatIsNone) {
    for (const std::string& text : {std::string{}, std::string(31, '0'), std::string(33, '0'),
                                    std::string(32, 'g'), std::string(31, '0') + ":", std::string(55, 'A')}) {
        const auto id = parse_message_id(text);
        ASSERT_FALSE(id) << text;
        EXPECT_EQ(id.failure().code, errc::invalid_argument);
    }
}

TEST(MessageId, UniqueKeysLookLikeJavas) {
    unique_key_generator generator{0x0A000001, 0x1234, 0xCAFEBABE};
    // 2024-03-01T00:00:01.000Z: one second into the month.
    const timestamp_ms now{1709251201000};
    EXPECT_EQ(generator.next(now), "0A0000011234CAFEBABE000003E80000");
    EXPECT_EQ(generator.next(now), "0A0000011234CAFEBABE000003E80001");
    EXPECT_EQ(generator.next(now + 1), "0A0000011234CAFEBABE000003E90002");
}

TEST(MessageId, UniqueKeysAreUnique) {
    unique_key_generator generator{1, 2, 3};
    std::set<std::string> keys;
    for (int i = 0; i < 65536; ++i)
        keys.insert(generator.next(timestamp_ms{1709251201000}));
    EXPECT_EQ(keys.size(), 65536U);
}

} // namespace
} // namespace holdfast::protocol
