// A follower whose log ends, not known to be committed, just where the log of a new leader begins.
#include "broker/replica.hpp"

#include "broker/command.hpp"

#include <gtest/gtest.h>

namespace holdfast::broker {
namespace {

class follower_at_a_beginning : public ::testing::Test {
  protected:
    // The one entry fills a segment.
    explicit follower_at_a_beginning(std::uint64_t segment_bytes = 128)
        : follower_(settings(), log(segment_bytes), state{}) {
        entry_draft draft;
        draft.add(command_kind::idle_mark, byte_view{});
        storage::entry_header header;
        header.term = term_number{1};
        header.count = 1;
        storage::seal_entry(header, draft.bytes());
        consensus::append_request request;
        request.entries.push_back(draft.release());
        receive("a", 1, std::move(request));
        end_ = follower_.appended();
        follower_.step(entries_flushed{end_, end_});
    }
    static replica_settings settings() {
        replica_settings all;
        all.raft.self = {"b", "of b"};
        all.raft.peers = {"a", "c"};
        all.max_entry_size = 1U << 20U;
        return all;
    }
    static replica_log log(std::uint64_t segment_bytes) {
        replica_log empty;
        empty.applied.geometry = {log_position{0}, segment_bytes, segment_bytes};
        return empty;
    }
    effects receive(const std::string& from, std::uint64_t term, consensus::append_request request) {
        return follower_.step(message_received{
            {{from, "of " + from}, "b", term_number{term}, std::move(request)}, steady_ms{0}});
    }
    effects be_led_by_c(term_number previous_term) {
        consensus::append_request request;
        request.previous_end = end_;
        request.previous_term = previous_term;
        return receive("c", 3, std::move(request));
    }

    replica follower_;
    log_position end_;
};

// Retention took what would tell the leader whether both logs are the same up to there: it would be refused
// for ever.
TEST_F(follower_at_a_beginning, that_knows_no_term_before_it_begins_anew_there) {
    ASSERT_GT(end_, log_position{0});
    const auto effects = be_led_by_c(term_number{0});
    EXPECT_EQ(effects.begin_at, end_);
    EXPECT_TRUE(effects.messages.empty());
}

// No log begins there: the leader's begins further on, and it will say where.
class follower_within_a_segment : public follower_at_a_beginning {
  protected:
    follower_within_a_segment() : follower_at_a_beginning(64U << 20U) {}
};

TEST_F(follower_within_a_segment, that_knows_no_term_before_it_refuses) {
    const auto effects = be_led_by_c(term_number{0});
    EXPECT_FALSE(effects.begin_at);
    EXPECT_EQ(effects.messages.size(), 1U);
}

TEST_F(follower_at_a_beginning, of_another_term_refuses) {
    const auto effects = be_led_by_c(term_number{2});
    EXPECT_FALSE(effects.begin_at);
    EXPECT_EQ(effects.messages.size(), 1U);
}

} // namespace
} // namespace holdfast::broker
