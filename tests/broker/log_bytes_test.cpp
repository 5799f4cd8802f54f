#include "broker/log_bytes.hpp"

#include "consensus/message.hpp"

#include <gtest/gtest.h>

namespace holdfast::broker {
namespace {

shared_bytes some_bytes(std::size_t size) {
    return shared_bytes::copy_of(std::vector<std::byte>(size, std::byte{7}));
}

TEST(log_bytes, a_question_and_an_answer_come_over_the_wire) {
    const log_bytes_request request{7, log_position{4096}, 300};
    const auto asked = decode_log_bytes_message(encode_head(request), {});
    ASSERT_TRUE(asked.ok()) << asked.failure();
    EXPECT_EQ(std::get<log_bytes_request>(*asked), request);

    const log_bytes_answer answer{8, "its log ends before"};
    const auto heard = decode_log_bytes_message(encode_head(answer), some_bytes(10));
    ASSERT_TRUE(heard.ok()) << heard.failure();
    EXPECT_EQ(std::get<log_bytes_answer>(*heard), answer);
}

TEST(log_bytes, nothing_of_it_is_taken_for_a_message_of_rafts_nor_the_reverse) {
    for (const auto& head : {encode_head(log_bytes_request{}), encode_head(log_bytes_answer{})}) {
        EXPECT_TRUE(is_log_bytes_message(head));
        EXPECT_FALSE(consensus::decode_message(head, {}).ok());
    }
    const consensus::message vote{{"a", "first"}, "b", term_number{1}, consensus::vote_request{}};
    EXPECT_FALSE(is_log_bytes_message(consensus::encode_head(vote)));
    EXPECT_FALSE(is_log_bytes_message(""));
}

TEST(log_bytes, what_is_cut_short_or_too_long_is_malformed) {
    for (const auto& whole :
         {encode_head(log_bytes_request{1, log_position{64}, 2}), encode_head(log_bytes_answer{1, "no"})}) {
        for (std::size_t size = 0; size < whole.size(); ++size)
            EXPECT_FALSE(decode_log_bytes_message(whole.substr(0, size), {}).ok()) << size;
        EXPECT_FALSE(decode_log_bytes_message(whole + "x", {}).ok());
    }
    EXPECT_FALSE(decode_log_bytes_message(encode_head(log_bytes_request{}), some_bytes(1)).ok());
    EXPECT_FALSE(
        decode_log_bytes_message(encode_head(log_bytes_answer{}), some_bytes(most_log_bytes + 1)).ok());
}

TEST(log_bytes, a_refusal_is_short_and_printable) {
    const auto said = encode_head(log_bytes_answer{1, "line\n" + std::string(5'000, 'x')});
    const auto heard = decode_log_bytes_message(said, {});
    ASSERT_TRUE(heard.ok()) << heard.failure();
    EXPECT_EQ(std::get<log_bytes_answer>(*heard).refusal, "line?" + std::string(995, 'x'));
}

} // namespace
} // namespace holdfast::broker
