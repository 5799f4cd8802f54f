// A leader that is replaced while it can't know: what clients asked it meanwhile it must not answer from what
// it remembers (trap T1, read index).
#include "client/admin.hpp"
#include "tests/chaos/node_group.hpp"
#include "tests/crash/wire_client.hpp"
#include "tests/support/wait_for.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

namespace holdfast::chaos {
namespace {

using namespace std::chrono_literals;
using protocol::response_code;

constexpr auto patience = 40s;
constexpr std::int64_t stored = 5;

protocol::query_consumer_offset_request question() {
    return {.consumer_group = "readers",
            .topic = "orders",
            .queue = queue_number{0},
            .set_zero_if_not_found = false};
}

// Asks on connections that are open before the freeze, and keeps what is wrong with the answers.
class askers {
  public:
    explicit askers(const crash::server_address& broker) {
        for (auto& client : clients_)
            client = std::make_unique<crash::wire_client>(broker, 20'000ms);
    }

    ~askers() { (void)wrong_answers(); }

    [[nodiscard]] bool all_hear(response_code code) {
        for (auto& client : clients_) {
            const auto told = client->ask(question());
            if (!told || told->code() != static_cast<int>(code))
                return false;
        }
        return true;
    }

    void ask() {
        for (auto& client : clients_)
            threads_.emplace_back([this, one = client.get()] {
                const auto told = one->ask(question());
                const auto answer = told && told->ok()
                                        ? protocol::decode_header<protocol::offset_response>(told->command)
                                        : result<protocol::offset_response>{error{errc::not_found, ""}};
                const bool is_right = !told || (answer.ok() && answer->offset == queue_offset{stored});
                wrong_ += is_right ? 0 : 1;
            });
    }

    int wrong_answers() {
        for (auto& thread : threads_)
            thread.join();
        threads_.clear();
        return wrong_;
    }

  private:
    std::array<std::unique_ptr<crash::wire_client>, 8> clients_;
    std::vector<std::thread> threads_;
    std::atomic<int> wrong_{0};
};

TEST(replaced_leader, does_not_say_that_nothing_is_stored) {
    node_group group{{"--logLevel=info"}};
    for (std::size_t node = 0; node < nodes; ++node)
        group.start(node);
    ASSERT_EQ(group.wait_until_whole(0, patience), "") << group.logs();
    client::admin admin{{.name_servers = group.name_servers()}};
    ASSERT_TRUE(admin.start().ok());
    ASSERT_TRUE(admin.create_topic("orders", {.read_queues = 1, .write_queues = 1}).ok());
    const auto old_leader = group.leader();
    ASSERT_TRUE(old_leader);
    askers clients{group.leader_broker()};
    ASSERT_TRUE(clients.all_hear(response_code::query_not_found));

    group.freeze(*old_leader);
    clients.ask();
    ASSERT_TRUE(testing::wait_for(
        patience, [&] { return group.leader_broker().port != 0 && group.leader() != old_leader; }));
    ASSERT_TRUE(testing::wait_for(patience, [&] {
        crash::wire_client client{group.leader_broker()};
        const auto told =
            client.ask(protocol::update_consumer_offset_request{.consumer_group = "readers",
                                                                .topic = "orders",
                                                                .queue = queue_number{0},
                                                                .commit_offset = queue_offset{stored}});
        return told && told->ok();
    }));
    group.thaw(*old_leader);

    EXPECT_EQ(clients.wrong_answers(), 0);
    ASSERT_EQ(group.wait_until_whole(0, patience), "") << group.logs();
    crash::wire_client client{group.leader_broker()};
    const auto told = client.ask(question());
    ASSERT_TRUE(told && told->ok());
    EXPECT_EQ(protocol::decode_header<protocol::offset_response>(told->command)->offset,
              queue_offset{stored});
}

} // namespace
} // namespace holdfast::chaos
