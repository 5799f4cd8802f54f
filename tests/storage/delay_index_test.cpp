#include "storage/delay_index.hpp"

#include "tests/storage/temporary_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

delayed_message message_at(std::int64_t due, std::uint64_t position) {
    return {.key = {timestamp_ms{due}, log_position{position}},
            .queue = {topic_id{1}, queue_number{0}},
            .size = 100,
            .tags = 0};
}

class pending_messages : public ::testing::Test {
  protected:
    void SetUp() override {
        auto opened = derived_store::open(home_.path(), "8c6d2f0e-55a1-4b0e-9d0b-3f1f1c9f7a11");
        ASSERT_TRUE(opened.ok()) << opened.failure().message;
        store_ = std::move(*opened);
        index_.emplace(*store_, 0, delay_key{timestamp_ms{0}, log_position{0}});
    }
    std::vector<std::uint64_t> at(std::int64_t due) {
        const auto found = index_->at(timestamp_ms{due});
        EXPECT_TRUE(found.ok());
        return positions_of(*found);
    }
    std::vector<std::uint64_t> due(std::int64_t until) {
        const auto found = index_->due(timestamp_ms{until}, 100);
        EXPECT_TRUE(found.ok());
        return positions_of(found->messages);
    }
    static std::vector<std::uint64_t> positions_of(const std::vector<delayed_message>& messages) {
        std::vector<std::uint64_t> all;
        for (const auto& each : messages)
            all.push_back(each.key.position.value());
        return all;
    }

    testing::temporary_directory home_;
    std::unique_ptr<derived_store> store_;
    std::optional<delay_index> index_;
};

// What is in memory only, and due at the very last moment that is asked for.
TEST_F(pending_messages, are_found_at_their_own_millisecond) {
    const std::vector<delayed_message> all{message_at(1'000, 700), message_at(1'000, 900),
                                           message_at(1'001, 800)};
    index_->add(all);
    EXPECT_THAT(at(1'000), ElementsAre(700U, 900U));
    EXPECT_THAT(at(999), IsEmpty());
    EXPECT_THAT(due(1'000), ElementsAre(700U, 900U));
    EXPECT_THAT(due(1'001), ElementsAre(700U, 900U, 800U));
}

TEST_F(pending_messages, are_gone_when_cancelled_or_passed) {
    const std::vector<delayed_message> all{message_at(1'000, 700), message_at(1'000, 900),
                                           message_at(1'001, 800)};
    index_->add(all);
    const std::vector<delay_key> cancelled{all[0].key};
    index_->remove(cancelled, log_position{1'000});
    EXPECT_THAT(at(1'000), ElementsAre(900U));
    index_->advance(1, all[1].key);
    EXPECT_THAT(at(1'000), IsEmpty());
    EXPECT_THAT(due(2'000), ElementsAre(800U));
}

} // namespace
} // namespace holdfast::storage
