#include "client/delivery.hpp"
#include "client/process_queue.hpp"
#include "tests/client/records.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>
#include <set>
#include <thread>

namespace holdfast::client {
namespace {

using testing::add_range;

class recording_sink : public delivery_sink {
  public:
    struct again {
        std::shared_ptr<pulled_batch> batch;
        std::uint32_t index;
        std::uint32_t retries;
        std::int32_t level;
    };
    void returned(std::shared_ptr<pulled_batch> batch, std::uint32_t index, std::uint32_t retries,
                  std::int32_t level) override {
        batch->give_back();
        const std::lock_guard lock{mutex};
        retried.push_back({std::move(batch), index, retries, level});
    }
    void turn_ended(process_queue&) override { ++turns_ended; }
    void batch_completed(process_queue&) override { ++completed; }
    void hand_emptied() override { ++emptied; }

    std::mutex mutex;
    std::vector<again> retried;
    std::atomic<int> completed{0};
    std::atomic<int> emptied{0};
    std::atomic<int> turns_ended{0};
};

class process_queue_from_10 : public ::testing::Test {
  protected:
    ~process_queue_from_10() override {
        queue->drop();
        sink->retried.clear(); // they hold shares in the queue, which holds one in the sink
    }

    static std::vector<delivery> hand_out(const std::shared_ptr<pulled_batch>& batch) {
        batch->hand_out(batch->size());
        std::vector<delivery> all;
        for (std::uint32_t index = 0; index < batch->size(); ++index)
            all.emplace_back(batch, index, 0);
        return all;
    }
    [[nodiscard]] std::int64_t committable() const { return queue->committable().value(); }

    std::shared_ptr<recording_sink> sink = std::make_shared<recording_sink>();
    std::shared_ptr<process_queue> queue =
        std::make_shared<process_queue>(message_queue{"T", "b", queue_number{0}}, queue_offset{10}, sink);
};

TEST_F(process_queue_from_10, commits_up_to_the_lowest_message_that_is_not_acknowledged) {
    EXPECT_EQ(committable(), 10);
    auto deliveries = hand_out(add_range(*queue, 10, 15));
    EXPECT_EQ(committable(), 10);
    deliveries[1].ack();
    deliveries[4].ack();
    EXPECT_EQ(committable(), 10);
    deliveries[0].ack();
    EXPECT_EQ(committable(), 12);
    deliveries[2].ack();
    deliveries[3].ack();
    EXPECT_EQ(committable(), 15);
    EXPECT_EQ(queue->cached_messages(), 0U);
    EXPECT_EQ(queue->cached_bytes(), 0U);
    EXPECT_EQ(sink->cached_bytes.load(), 0U);
}

TEST_F(process_queue_from_10, keeps_the_offset_before_an_old_batch_while_later_ones_are_done) {
    auto first = hand_out(add_range(*queue, 10, 12));
    auto second = hand_out(add_range(*queue, 12, 14));
    auto third = hand_out(add_range(*queue, 14, 16));
    for (delivery& each : second)
        each.ack();
    EXPECT_EQ(committable(), 10);
    EXPECT_EQ(queue->cached_messages(), 4U);
    first[0].ack();
    EXPECT_EQ(committable(), 11);
    first[1].ack();
    EXPECT_EQ(committable(), 14);
    third[1].ack();
    EXPECT_EQ(committable(), 14);
    third[0].ack();
    EXPECT_EQ(committable(), 16);
    EXPECT_EQ(sink->completed, 3);
}

TEST_F(process_queue_from_10, moves_over_what_the_filter_left_out) {
    EXPECT_EQ(queue->add({}, {}, queue_offset{50}), nullptr);
    EXPECT_EQ(committable(), 50);
    auto [bytes, records] = testing::make_pulled({53, 57});
    auto deliveries = hand_out(queue->add(bytes, std::move(records), queue_offset{60}));
    EXPECT_EQ(committable(), 53);
    deliveries[0].ack();
    EXPECT_EQ(committable(), 57);
    deliveries[1].ack();
    EXPECT_EQ(committable(), 60);
    queue->skip_to(queue_offset{70});
    EXPECT_EQ(committable(), 70);
}

TEST_F(process_queue_from_10, a_dropped_handle_is_a_retry) {
    auto batch = add_range(*queue, 10, 12);
    batch->hand_out(2);
    { const delivery forgotten{batch, 0, 3}; }
    ASSERT_EQ(sink->retried.size(), 1U);
    EXPECT_EQ(sink->retried[0].index, 0U);
    EXPECT_EQ(sink->retried[0].retries, 3U);
    EXPECT_EQ(committable(), 10);
    delivery second{batch, 1, 0};
    second.ack();
    EXPECT_EQ(committable(), 10);
    batch->hand_out(1);
    delivery again{batch, 0, 4};
    EXPECT_EQ(again.reconsume_times(), 4U);
    again.ack();
    EXPECT_EQ(committable(), 12);
}

TEST_F(process_queue_from_10, only_the_first_word_of_a_handle_counts) {
    auto deliveries = hand_out(add_range(*queue, 10, 12));
    deliveries[0].ack();
    deliveries[0].ack();
    deliveries[0].retry_later();
    EXPECT_TRUE(sink->retried.empty());
    deliveries[1].retry_later();
    deliveries[1].ack();
    EXPECT_EQ(sink->retried.size(), 1U);
    EXPECT_EQ(committable(), 11);
}

TEST_F(process_queue_from_10, a_moved_handle_takes_the_duty_with_it) {
    auto deliveries = hand_out(add_range(*queue, 10, 12));
    {
        delivery taken = std::move(deliveries[0]);
        deliveries[0].ack(); // NOLINT(bugprone-use-after-move): it must have no say any more
        EXPECT_EQ(committable(), 10);
        taken.ack();
    }
    EXPECT_EQ(committable(), 11);
    // Assigned over: the one that is replaced was not settled.
    delivery third = std::move(deliveries[1]);
    auto more = hand_out(add_range(*queue, 12, 13));
    third = std::move(more[0]);
    ASSERT_EQ(sink->retried.size(), 1U);
    EXPECT_EQ(sink->retried[0].batch->offset(sink->retried[0].index).value(), 11);
    third.ack();
    EXPECT_EQ(committable(), 11);
}

TEST_F(process_queue_from_10, shows_the_message) {
    auto deliveries = hand_out(add_range(*queue, 10, 12));
    EXPECT_EQ(deliveries[1].body(), "body 11");
    EXPECT_EQ(deliveries[1].offset(), queue_offset{11});
    EXPECT_EQ(deliveries[1].queue().topic, "T");
    deliveries[1].ack();
    EXPECT_EQ(deliveries[1].body(), "body 11") << "readable after its ack";
}

TEST_F(process_queue_from_10, what_is_said_about_a_lost_queue_has_no_effect) {
    auto deliveries = hand_out(add_range(*queue, 10, 20));
    deliveries[0].ack();
    EXPECT_EQ(queue->drop(), queue_offset{11});
    EXPECT_EQ(queue->drop(), std::nullopt);
    EXPECT_TRUE(deliveries[1].lost());
    deliveries[1].ack();
    deliveries[2].retry_later();
    deliveries.clear();
    EXPECT_TRUE(sink->retried.empty());
    EXPECT_EQ(sink->completed, 0);
    EXPECT_EQ(sink->cached_bytes.load(), 0U);
    EXPECT_EQ(add_range(*queue, 20, 21), nullptr);
}

TEST_F(process_queue_from_10, handles_outlive_queue_and_consumer) {
    auto deliveries = hand_out(add_range(*queue, 10, 12));
    queue->drop();
    queue = std::make_shared<process_queue>(message_queue{"T", "b", queue_number{0}}, queue_offset{0}, sink);
    EXPECT_EQ(deliveries[0].body(), "body 10");
    deliveries[0].ack();
    deliveries.clear();
    EXPECT_EQ(committable(), 0);
}

TEST_F(process_queue_from_10, says_when_the_last_handle_is_gone_while_closing) {
    auto deliveries = hand_out(add_range(*queue, 10, 13));
    deliveries[0].ack();
    EXPECT_EQ(sink->emptied, 0);
    queue->close();
    EXPECT_EQ(queue->in_hand(), 2U);
    deliveries[1].retry_later();
    EXPECT_EQ(sink->emptied, 0);
    deliveries[2].ack();
    EXPECT_EQ(sink->emptied, 1);
    EXPECT_EQ(queue->in_hand(), 0U);
}

// Against a model that knows nothing of batches: a set of unacknowledged offsets.
void run_model(std::uint32_t seed) {
    std::mt19937 random{seed};
    const auto sink = std::make_shared<recording_sink>();
    const auto queue =
        std::make_shared<process_queue>(message_queue{"T", "b", queue_number{0}}, queue_offset{0}, sink);
    std::set<std::int64_t> unacknowledged;
    std::int64_t pulled_to = 0;
    std::vector<delivery> in_hand;
    const auto expected = [&] { return unacknowledged.empty() ? pulled_to : *unacknowledged.begin(); };
    for (int step = 0; step < 1'500; ++step) {
        const auto what = random() % 10;
        if (what < 2) {
            std::vector<std::int64_t> offsets;
            const std::int64_t next = pulled_to + 1 + random() % 150;
            for (std::int64_t at = pulled_to; at < next; ++at)
                if (random() % 4 != 0)
                    offsets.push_back(at);
            auto [bytes, records] = testing::make_pulled(offsets);
            const auto batch = queue->add(bytes, std::move(records), queue_offset{next});
            pulled_to = next;
            ASSERT_EQ(batch == nullptr, offsets.empty());
            unacknowledged.insert(offsets.begin(), offsets.end());
            if (batch != nullptr) {
                batch->hand_out(batch->size());
                for (std::uint32_t index = 0; index < batch->size(); ++index)
                    in_hand.emplace_back(batch, index, 0);
            }
        } else if (what < 9 && !in_hand.empty()) {
            for (std::size_t count = random() % 40; count > 0 && !in_hand.empty(); --count) {
                std::swap(in_hand[random() % in_hand.size()], in_hand.back());
                delivery one = std::move(in_hand.back());
                in_hand.pop_back();
                if (random() % 5 != 0) {
                    unacknowledged.erase(one.offset().value());
                    one.ack();
                }
                ASSERT_EQ(queue->committable().value(), expected()) << "seed " << seed << " step " << step;
            }
        } else {
            for (const auto& each : std::exchange(sink->retried, {})) {
                each.batch->hand_out(1);
                in_hand.emplace_back(each.batch, each.index, each.retries + 1);
            }
        }
        ASSERT_EQ(queue->committable().value(), expected()) << "seed " << seed << " step " << step;
    }
    for (delivery& each : in_hand)
        each.ack();
    in_hand.clear();
    for (const auto& each : std::exchange(sink->retried, {})) {
        each.batch->hand_out(1);
        delivery{each.batch, each.index, 1}.ack();
    }
    EXPECT_EQ(queue->committable().value(), pulled_to);
    EXPECT_EQ(queue->cached_messages(), 0U);
    EXPECT_EQ(sink->cached_bytes.load(), 0U);
    queue->drop();
}

TEST(process_queue_model, agrees_with_a_set_of_offsets) {
    for (std::uint32_t seed = 1; seed <= 30; ++seed)
        run_model(seed);
}

// Four threads acknowledge while one watches: the offset never falls, never passes what is not acknowledged,
// and arrives at the end.
TEST(process_queue_threads, never_passes_an_unacknowledged_message) {
    constexpr std::int64_t total = 40'000;
    constexpr std::size_t threads = 4;
    const auto sink = std::make_shared<recording_sink>();
    const auto queue =
        std::make_shared<process_queue>(message_queue{"T", "b", queue_number{0}}, queue_offset{0}, sink);
    std::vector<std::atomic<bool>> acknowledged(total);
    std::vector<std::vector<delivery>> shares(threads);
    std::mt19937 random{11}; // NOLINT(cert-msc51-cpp): reproducible
    for (std::int64_t first = 0; first < total; first += 500) {
        const auto batch = add_range(*queue, first, first + 500);
        batch->hand_out(500);
        for (std::uint32_t index = 0; index < 500; ++index)
            shares[random() % threads].emplace_back(batch, index, 0);
    }
    std::atomic<bool> done{false};
    std::thread watcher{[&] {
        std::int64_t before = 0;
        while (!done) {
            const std::int64_t offset = queue->committable().value();
            ASSERT_GE(offset, before);
            for (std::int64_t at = before; at < offset; ++at)
                ASSERT_TRUE(acknowledged[static_cast<std::size_t>(at)]) << "offset " << at;
            before = offset;
        }
    }};
    std::vector<std::thread> workers;
    for (auto& share : shares)
        workers.emplace_back([&share, &acknowledged] {
            for (delivery& each : share) {
                acknowledged[static_cast<std::size_t>(each.offset().value())] = true;
                each.ack();
            }
        });
    for (std::thread& each : workers)
        each.join();
    done = true;
    watcher.join();
    EXPECT_EQ(queue->committable().value(), total);
    EXPECT_EQ(queue->cached_messages(), 0U);
    EXPECT_EQ(sink->completed, total / 500);
    queue->drop();
}

TEST_F(process_queue_from_10, passes_on_what_a_handle_asks_for) {
    auto deliveries = hand_out(add_range(*queue, 10, 14));
    deliveries[0].retry_later(5);
    deliveries[1].dead_letter();
    deliveries[2].retry_later(-7);
    deliveries.pop_back();
    ASSERT_EQ(sink->retried.size(), 4U);
    EXPECT_EQ(sink->retried[0].level, 5);
    EXPECT_EQ(sink->retried[1].level, dead_letter_level);
    EXPECT_EQ(sink->retried[2].level, 0) << "only dead_letter() goes there";
    EXPECT_EQ(sink->retried[3].level, 0);
}

// What a message given back to the broker is: acknowledged when the sink hears that the broker has it.
TEST_F(process_queue_from_10, passes_a_returned_message_when_the_sink_acknowledges_it) {
    class asking_sink : public recording_sink {
      public:
        void returned(std::shared_ptr<pulled_batch> batch, std::uint32_t index, std::uint32_t retries,
                      std::int32_t level) override {
            asked.push_back({std::move(batch), index, retries, level});
        }
        std::vector<again> asked;
    };
    const auto asking = std::make_shared<asking_sink>();
    const auto other =
        std::make_shared<process_queue>(message_queue{"T", "b", queue_number{1}}, queue_offset{0}, asking);
    hand_out(add_range(*other, 0, 1)).clear();
    ASSERT_EQ(asking->asked.size(), 1U);
    EXPECT_EQ(other->committable().value(), 0);
    EXPECT_EQ(other->in_hand(), 1U) << "still in work: on its way to the broker";
    asking->asked[0].batch->ack(0);
    EXPECT_EQ(other->committable().value(), 1);
    EXPECT_EQ(other->in_hand(), 0U);
    asking->asked.clear();
}

class process_queue_in_order : public ::testing::Test {
  protected:
    ~process_queue_in_order() override { queue->drop(); }
    delivery hand_out_next() {
        const auto next = queue->front();
        const auto ticket = queue->turn().take();
        EXPECT_TRUE(queue->turn().hand_out(ticket));
        next->batch->hand_out(1);
        return {next->batch, next->index, 0};
    }
    std::shared_ptr<recording_sink> sink = std::make_shared<recording_sink>();
    std::shared_ptr<process_queue> queue = std::make_shared<process_queue>(
        message_queue{"T", "b", queue_number{0}}, queue_offset{10}, sink, delivery_order::one_by_one);
};

TEST_F(process_queue_in_order, names_the_next_message_across_batches) {
    EXPECT_FALSE(queue->front());
    add_range(*queue, 10, 12);
    add_range(*queue, 12, 13);
    for (std::int64_t offset = 10; offset < 13; ++offset) {
        auto next = hand_out_next();
        EXPECT_EQ(next.offset().value(), offset);
        EXPECT_EQ(queue->turn().take(), 0U) << "one at a time";
        next.ack();
        EXPECT_EQ(sink->turns_ended, offset - 9);
    }
    EXPECT_FALSE(queue->front());
}

TEST_F(process_queue_in_order, is_deliverable_only_with_a_lock_that_holds) {
    EXPECT_FALSE(queue->deliverable());
    queue->trust_until(process_queue::clock::time_point::max());
    EXPECT_TRUE(queue->deliverable());
    queue->trust_until(process_queue::clock::now());
    EXPECT_FALSE(queue->trusted());
    queue->trust_until(process_queue::clock::time_point::max());
    queue->close();
    EXPECT_FALSE(queue->deliverable());
    EXPECT_TRUE(queue->trusted()) << "its offset may be stored";
}

TEST_F(process_queue_in_order, ends_the_turn_of_a_handle_that_outlives_the_queue) {
    add_range(*queue, 10, 12);
    auto first = hand_out_next();
    queue->drop();
    EXPECT_TRUE(queue->turn().is_out());
    first.retry_later();
    EXPECT_FALSE(queue->turn().is_out());
    EXPECT_TRUE(sink->retried.empty());
}

} // namespace
} // namespace holdfast::client
