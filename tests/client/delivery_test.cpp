#include "client/compression.hpp"
#include "client/delivery.hpp"
#include "tests/client/records.hpp"

#include <gtest/gtest.h>
#include <type_traits>

namespace holdfast::client {
namespace {

class deaf_sink : public delivery_sink {
  public:
    void returned(std::shared_ptr<pulled_batch> batch, std::uint32_t, std::uint32_t, std::int32_t) override {
        batch->give_back();
    }
    void turn_ended(process_queue&) override {}
    void batch_completed(process_queue&) override {}
    void hand_emptied() override {}
};

static_assert(!std::is_copy_constructible_v<delivery> && !std::is_copy_assignable_v<delivery>);
static_assert(std::is_nothrow_move_constructible_v<delivery>);

class one_delivery : public ::testing::Test {
  protected:
    ~one_delivery() override { queue_->drop(); }
    delivery of(const std::string& record) {
        const auto batch = queue_->add(shared_bytes::copy_of(as_bytes(record)), {testing::place_of(record)},
                                       queue_offset{6});
        batch->hand_out(1);
        return {batch, 0, 2};
    }
    std::shared_ptr<process_queue> queue_ = std::make_shared<process_queue>(
        message_queue{"T", "b", queue_number{0}}, queue_offset{5}, std::make_shared<deaf_sink>());
};

TEST_F(one_delivery, shows_tag_keys_properties_and_ids) {
    const auto received =
        of(testing::make_record(5, "hi", "KEYS\1k1 k2\2UNIQ_KEY\1ABC\2TAGS\1blue\2colour\1dark\2", 0, 3));
    const auto message = received.message();
    EXPECT_EQ(message.topic(), "T");
    EXPECT_EQ(message.tag(), "blue");
    EXPECT_EQ(message.keys(), "k1 k2");
    EXPECT_EQ(message.property("colour"), "dark");
    EXPECT_EQ(message.property("size"), std::nullopt);
    EXPECT_EQ(message.message_id(), "ABC");
    EXPECT_EQ(received.body(), "hi");
    EXPECT_TRUE(message.intact());
    EXPECT_EQ(received.reconsume_times(), 5U) << "the broker's 3 and the local 2";
}

TEST_F(one_delivery, shows_the_original_topic_of_a_retried_message) {
    EXPECT_EQ(of(testing::make_record(5, "hi", "RETRY_TOPIC\1orders\2")).message().topic(), "orders");
}

TEST_F(one_delivery, falls_back_to_the_brokers_id) {
    const auto received = of(testing::make_record(5, "hi"));
    EXPECT_EQ(received.message().message_id(), received.message().offset_message_id());
    EXPECT_EQ(received.message().offset_message_id().size(), 32U);
}

TEST_F(one_delivery, inflates_a_compressed_body) {
    const std::string text(10'000, 'x');
    const auto received =
        of(testing::make_record(5, deflate_text(text, 5), {}, protocol::sys_flag::compressed));
    EXPECT_EQ(received.body(), text);
    EXPECT_LT(received.message().stored_body().size(), text.size());
}

TEST_F(one_delivery, shows_the_stored_bytes_when_they_can_not_be_inflated) {
    const auto received = of(testing::make_record(5, "not zlib", {}, protocol::sys_flag::compressed));
    EXPECT_EQ(received.body(), "not zlib");
    EXPECT_TRUE(received.message().compressed());
}

} // namespace
} // namespace holdfast::client
