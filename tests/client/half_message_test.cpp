#include "client/half_message.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>
#include <type_traits>
#include <vector>

namespace holdfast::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

static_assert(!std::is_copy_constructible_v<half_message> && !std::is_copy_assignable_v<half_message>);
static_assert(std::is_nothrow_move_constructible_v<half_message>);

class recording_sink : public decision_sink {
  public:
    void decide(const half_place& half, transaction_decision decision, decision_callback) override {
        said.emplace_back(half.position.value(), decision);
    }
    std::vector<std::pair<std::uint64_t, transaction_decision>> said;
};

class one_half : public ::testing::Test {
  protected:
    half_message at(std::uint64_t position) {
        return {{.topic = "T", .receipt = {.message_id = "ID"}, .position = log_position{position}}, sink_};
    }
    std::shared_ptr<recording_sink> sink_ = std::make_shared<recording_sink>();
};

TEST_F(one_half, says_the_first_word_only) {
    std::optional<bool> second;
    {
        half_message half = at(7);
        EXPECT_EQ(half.transaction_id(), "ID");
        half.rollback();
        EXPECT_TRUE(half.decided());
        half.commit([&](const result<void>& told) { second = told.ok(); });
    }
    EXPECT_THAT(sink_->said, ElementsAre(std::pair{std::uint64_t{7}, transaction_decision::rollback}));
    EXPECT_EQ(second, false);
}

TEST_F(one_half, leaves_it_open_when_dropped) {
    at(8);
    EXPECT_THAT(sink_->said, ElementsAre(std::pair{std::uint64_t{8}, transaction_decision::unknown}));
}

TEST_F(one_half, moves_the_duty_with_the_handle) {
    {
        half_message first = at(1);
        half_message second = std::move(first);
        half_message third = at(3);
        third = std::move(second); // the old one is dropped
        EXPECT_THAT(sink_->said, ElementsAre(std::pair{std::uint64_t{3}, transaction_decision::unknown}));
        third.commit();
    }
    EXPECT_THAT(sink_->said, ElementsAre(std::pair{std::uint64_t{3}, transaction_decision::unknown},
                                         std::pair{std::uint64_t{1}, transaction_decision::commit}));
}

TEST_F(one_half, says_nothing_to_a_producer_that_is_gone) {
    half_message half = at(1);
    sink_.reset();
    std::optional<errc> why;
    half.commit([&](const result<void>& told) { why = told.failure().code; });
    EXPECT_EQ(why, errc::unavailable);
}

} // namespace
} // namespace holdfast::client
