#include "consensus/message.hpp"

#include <gtest/gtest.h>

#include <random>

namespace holdfast::consensus {
namespace {

class maker {
  public:
    explicit maker(std::uint64_t seed) : random_(seed) {}

    message next() {
        message made;
        made.from = {text(), text()};
        made.to = text();
        made.term = term_number{random_()};
        switch (random_() % 5) {
        case 0:
            made.body = vote_request{coin(), coin(), place(), term_number{random_()}, text()};
            break;
        case 1:
            made.body = vote_answer{coin(), coin()};
            break;
        case 2:
            made.body = request();
            break;
        case 3:
            made.body = answer();
            break;
        default:
            made.body = timeout_now{};
        }
        return made;
    }

    // All entries as they travel: one behind the other.
    static shared_bytes body_of(const message& what) {
        std::vector<std::byte> bytes;
        if (const auto* const request = std::get_if<append_request>(&what.body))
            for (const auto& entry : request->entries)
                bytes.insert(bytes.end(), entry.view().begin(), entry.view().end());
        return shared_bytes::copy_of(bytes);
    }

  private:
    bool coin() { return random_() % 2 == 0; }
    log_position place() { return log_position{random_()}; }
    std::string text() { return std::string(random_() % 40, static_cast<char>('a' + random_() % 26)); }
    append_request request() {
        append_request made{place(), term_number{random_()}, place(), random_(), {}};
        for (auto count = random_() % 4; count > 0; --count)
            made.entries.push_back(
                shared_bytes::copy_of(std::vector<std::byte>(1 + random_() % 200, std::byte{7})));
        return made;
    }
    append_answer answer() {
        append_answer made{coin(), place(), place(), place(), random_(), {}};
        for (std::uint64_t count = random_() % 5, i = 0; i < count; ++i)
            made.runs.push_back({log_position{64 * i}, term_number{i + 1}});
        return made;
    }
    std::mt19937_64 random_;
};

bool same(const message& one, const message& other) {
    if (encode_head(one) != encode_head(other))
        return false;
    const auto bytes = maker::body_of(one);
    const auto others = maker::body_of(other);
    return std::equal(bytes.view().begin(), bytes.view().end(), others.view().begin(), others.view().end());
}

TEST(message_codec, gives_back_what_was_put_in) {
    maker messages{1};
    for (int round = 0; round < 5'000; ++round) {
        const auto made = messages.next();
        const auto decoded = decode_message(encode_head(made), maker::body_of(made));
        ASSERT_TRUE(decoded.ok()) << decoded.failure();
        ASSERT_TRUE(same(made, *decoded));
    }
}

TEST(message_codec, a_head_that_is_cut_or_has_a_tail_is_none) {
    maker messages{2};
    for (int round = 0; round < 300; ++round) {
        const auto made = messages.next();
        const auto head = encode_head(made);
        const auto body = maker::body_of(made);
        for (std::size_t size = 0; size < head.size(); ++size)
            ASSERT_FALSE(decode_message(std::string_view{head}.substr(0, size), body).ok());
        ASSERT_FALSE(decode_message(head + "x", body).ok());
    }
}

TEST(message_codec, entries_that_are_not_those_announced_are_refused) {
    message made;
    made.body = append_request{
        {}, {}, {}, 1, {shared_bytes::copy_of(as_bytes("entry")), shared_bytes::copy_of(as_bytes("two"))}};
    const auto head = encode_head(made);
    EXPECT_TRUE(decode_message(head, shared_bytes::copy_of(as_bytes("entrytwo"))).ok());
    EXPECT_FALSE(decode_message(head, shared_bytes::copy_of(as_bytes("entrytw"))).ok());
    EXPECT_FALSE(decode_message(head, shared_bytes::copy_of(as_bytes("entrytwo!"))).ok());
    made.body = timeout_now{};
    EXPECT_FALSE(decode_message(encode_head(made), shared_bytes::copy_of(as_bytes("x"))).ok());
}

// Whatever the bytes: an error, or a message that a node could have sent.
TEST(message_codec, mutated_heads_are_an_error_or_a_message) {
    std::mt19937_64 random{3};
    maker messages{3};
    int refused = 0;
    for (int round = 0; round < 50'000; ++round) {
        const auto made = messages.next();
        const auto body = maker::body_of(made);
        auto head = encode_head(made);
        for (auto count = 1 + random() % 3; count > 0; --count)
            head[random() % head.size()] = static_cast<char>(random() % 3 == 0 ? 0xFF : random());
        const auto decoded = decode_message(head, body);
        if (!decoded.ok()) {
            ++refused;
            continue;
        }
        const auto again = decode_message(encode_head(*decoded), maker::body_of(*decoded));
        ASSERT_TRUE(again.ok());
        ASSERT_TRUE(same(*decoded, *again));
    }
    EXPECT_GT(refused, 5'000);
}

} // namespace
} // namespace holdfast::consensus
