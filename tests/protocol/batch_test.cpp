#include "protocol/batch.hpp"
#include "tests/protocol/protocol_helpers.hpp"

#include <gtest/gtest.h>

namespace holdfast::protocol {
namespace {

TEST(Batch, RoundTrip) {
    random_source random{3};
    for (int round = 0; round < 500; ++round) {
        std::vector<batch_message> messages;
        std::vector<std::string> texts;
        texts.reserve(40);
        for (auto count = random.between(1, 20); count > 0; --count) {
            const std::string& body = texts.emplace_back(random.text(30));
            const std::string& properties = texts.emplace_back(random.text(10));
            messages.push_back({.flag = random.int32(), .body = as_bytes(body), .properties = properties});
        }
        byte_buffer out;
        for (const batch_message& message : messages)
            append_batch_message(out, message);
        EXPECT_EQ(*check_batch(out.view()), messages.size());
        batch_reader reader{out.view()};
        for (const batch_message& message : messages) {
            const auto next = reader.next();
            ASSERT_TRUE(next && *next);
            EXPECT_EQ((*next)->flag, message.flag);
            EXPECT_EQ(as_text((*next)->body), as_text(message.body));
            EXPECT_EQ((*next)->properties, message.properties);
        }
        EXPECT_FALSE(reader.next());
    }
}

TEST(Batch, EmptyIsRefused) {
    EXPECT_FALSE(check_batch({}));
}

TEST(Batch, TruncatedAndContradictingIsRefused) {
    byte_buffer out;
    append_batch_message(out, {.body = as_bytes("hi"),
                               .properties = "a\x01"
                                             "b"});
    for (std::size_t size = 1; size < out.size(); ++size)
        EXPECT_FALSE(check_batch(out.view().first(size))) << size;
    for (const auto& [at, value] : {std::pair<std::size_t, std::int32_t>{0, 0},
                                    {0, 21},
                                    {0, -1},
                                    {0, 26},
                                    {0, 28},
                                    {16, -1},
                                    {16, 1},
                                    {16, 3},
                                    {16, 6}}) {
        byte_buffer broken;
        broken.append(out.view());
        broken.append('x'); // so that a size one over is not beyond the end
        store_big(broken.data() + at, value);
        EXPECT_FALSE(check_batch(broken.view())) << at << " " << value;
    }
}

TEST(Batch, CountIsBounded) {
    byte_buffer out;
    for (int i = 0; i < 5; ++i)
        append_batch_message(out, {.body = as_bytes("x")});
    EXPECT_TRUE(check_batch(out.view(), 5));
    const auto counted = check_batch(out.view(), 4);
    ASSERT_FALSE(counted);
    EXPECT_EQ(counted.failure().code, errc::too_large);
}

} // namespace
} // namespace holdfast::protocol
