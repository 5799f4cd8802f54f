#include "client/work_pool.hpp"
#include "tests/client/records.hpp"

#include <gtest/gtest.h>
#include <set>
#include <stdexcept>

namespace holdfast::client {
namespace {

using testing::add_range;

// What the consumer does with a retry, without a back-off.
class pool_sink : public delivery_sink {
  public:
    void returned(std::shared_ptr<pulled_batch> batch, std::uint32_t index, std::uint32_t retries,
                  std::int32_t) override {
        pool->add_later(batch, index, retries + 1, work_pool::clock::now() + pause);
        batch->give_back();
    }
    void turn_ended(process_queue&) override {}
    void batch_completed(process_queue&) override {
        const std::lock_guard lock{mutex};
        ++completed;
        changed.notify_all();
    }
    void hand_emptied() override {}

    bool wait_for_batches(int count) {
        std::unique_lock lock{mutex};
        return changed.wait_for(lock, std::chrono::seconds{10}, [&] { return completed >= count; });
    }

    work_pool* pool = nullptr;
    std::chrono::milliseconds pause{0};
    std::mutex mutex;
    std::condition_variable changed;
    int completed = 0;
};

class work_pool_of_two : public ::testing::Test {
  protected:
    ~work_pool_of_two() override { queue->drop(); }
    void run(work_pool& pool) {
        sink->pool = &pool;
        pool.start(2);
    }
    std::shared_ptr<pool_sink> sink = std::make_shared<pool_sink>();
    std::shared_ptr<process_queue> queue =
        std::make_shared<process_queue>(message_queue{"T", "b", queue_number{0}}, queue_offset{0}, sink);
};

TEST_F(work_pool_of_two, hands_out_every_message_once_in_slices) {
    std::mutex mutex;
    std::multiset<std::int64_t> seen;
    std::size_t largest = 0;
    work_pool pool{10, [&](std::span<delivery> deliveries) {
                       const std::lock_guard lock{mutex};
                       largest = std::max(largest, deliveries.size());
                       for (delivery& each : deliveries) {
                           seen.insert(each.offset().value());
                           each.ack();
                       }
                   }};
    run(pool);
    pool.add(add_range(*queue, 0, 105));
    pool.add(add_range(*queue, 105, 106));
    ASSERT_TRUE(sink->wait_for_batches(2));
    pool.stop();
    EXPECT_EQ(seen.size(), 106U);
    EXPECT_EQ(std::set<std::int64_t>(seen.begin(), seen.end()).size(), 106U);
    EXPECT_EQ(largest, 10U);
    EXPECT_EQ(queue->committable().value(), 106);
}

TEST_F(work_pool_of_two, gives_back_what_a_listener_left_or_threw_over) {
    std::mutex mutex;
    std::map<std::int64_t, std::vector<std::uint32_t>> times;
    work_pool pool{4, [&](std::span<delivery> deliveries) {
                       const std::lock_guard lock{mutex};
                       for (delivery& each : deliveries) {
                           auto& seen = times[each.offset().value()];
                           seen.push_back(each.reconsume_times());
                           if (seen.size() == 1 && each.offset().value() == 2)
                               throw std::runtime_error{"the listener's own trouble"};
                           if (seen.size() >= 2 || each.offset().value() < 2)
                               each.ack();
                       }
                   }};
    run(pool);
    pool.add(add_range(*queue, 0, 6));
    ASSERT_TRUE(sink->wait_for_batches(1));
    pool.stop();
    // 0 and 1 were settled before the throw; 2 and all others came a second time or more.
    EXPECT_EQ(times[0], (std::vector<std::uint32_t>{0}));
    EXPECT_EQ(times[1], (std::vector<std::uint32_t>{0}));
    EXPECT_EQ(times[2], (std::vector<std::uint32_t>{0, 1}));
    EXPECT_EQ(times[5].back(), times[5].size() - 1);
    EXPECT_EQ(queue->committable().value(), 6);
}

TEST_F(work_pool_of_two, waits_before_a_retry) {
    sink->pause = std::chrono::milliseconds{30};
    std::vector<work_pool::clock::time_point> at;
    work_pool pool{4, [&](std::span<delivery> deliveries) {
                       at.push_back(work_pool::clock::now());
                       if (at.size() == 2)
                           deliveries[0].ack();
                   }};
    run(pool);
    pool.add(add_range(*queue, 0, 1));
    ASSERT_TRUE(sink->wait_for_batches(1));
    pool.stop();
    ASSERT_EQ(at.size(), 2U);
    EXPECT_GE(at[1] - at[0], sink->pause);
}

TEST_F(work_pool_of_two, skips_a_lost_queue) {
    std::atomic<int> calls{0};
    const auto other =
        std::make_shared<process_queue>(message_queue{"T", "b", queue_number{1}}, queue_offset{0}, sink);
    work_pool pool{4, [&](std::span<delivery> deliveries) {
                       ++calls;
                       EXPECT_EQ(deliveries[0].queue().queue, queue_number{1});
                       for (delivery& each : deliveries)
                           each.ack();
                   }};
    pool.add(add_range(*queue, 0, 4));
    queue->drop();
    pool.add(add_range(*other, 0, 4));
    run(pool);
    ASSERT_TRUE(sink->wait_for_batches(1));
    pool.stop();
    EXPECT_EQ(calls, 1);
    other->drop();
}

TEST_F(work_pool_of_two, forgets_the_rest_when_it_stops) {
    auto batch = add_range(*queue, 0, 4);
    const std::weak_ptr<pulled_batch> watched = batch;
    work_pool pool{4, [](std::span<delivery>) { FAIL() << "called after stop"; }};
    pool.stop();
    pool.add(std::move(batch));
    pool.add_later(watched.lock(), 0, 1, work_pool::clock::now());
    queue->drop();
    EXPECT_TRUE(watched.expired());
}

} // namespace
} // namespace holdfast::client
