// How frames come to sessions and services, and what a connection may have waiting there.
#include "actors/session_router.hpp"
#include "tests/actors/fixture.hpp"

namespace holdfast::actors {
namespace {

using testing::fake_connection_ptr;
using testing::incoming;

class flood_of_one_connection : public testing::actor_fixture {
  protected:
    flood_of_one_connection() {
        lead();
        flush_all();
        router_.emplace(system(), environment);
        flooding_ = connect();
        router_->connection_opened(flooding_);
    }
    // One read; nobody has looked at it yet.
    template <class Request>
    void read(const Request& request, std::string_view body = {}) {
        const auto frames = incoming{}.add(1, request, body).take();
        router_->frames_received(*flooding_, frames->frames);
    }
    template <class Request>
    void read_until_paused(const Request& request) {
        std::size_t made = 0;
        while (!flooding_->paused && made < 10'000) {
            read(request);
            ++made;
        }
        EXPECT_TRUE(flooding_->paused) << "after " << made << " reads";
        EXPECT_LE(made, 1 + limits::max_service_bytes / limits::service_job_bytes);
    }
    // Services that have had their turn let the connection be read again.
    template <class Request>
    void expect_bounded(const Request& request) {
        read_until_paused(request);
        settle();
        EXPECT_FALSE(flooding_->paused);
        EXPECT_FALSE(flooding_->closed.has_value()) << *flooding_->closed;
    }

    std::optional<session_router> router_;
    fake_connection_ptr flooding_;
};

TEST_F(flood_of_one_connection, is_bounded_at_the_name_service) {
    expect_bounded(protocol::get_route_info_request{.topic = "T"});
}

TEST_F(flood_of_one_connection, is_bounded_at_the_administration) {
    expect_bounded(protocol::get_topic_stats_request{.topic = "T"});
}

TEST_F(flood_of_one_connection, counts_what_is_large_by_its_bytes) {
    const std::string body(limits::max_service_bytes / 2 + 1, 'x');
    read(protocol::get_route_info_request{.topic = "T"}, body);
    EXPECT_FALSE(flooding_->paused);
    read(protocol::get_route_info_request{.topic = "T"}, body);
    EXPECT_TRUE(flooding_->paused);
    settle();
    EXPECT_FALSE(flooding_->paused);
}

TEST_F(flood_of_one_connection, leaves_other_connections_alone) {
    read_until_paused(protocol::get_route_info_request{.topic = "T"});
    const auto other = connect();
    router_->connection_opened(other);
    const auto frames = incoming{}.add(2, protocol::get_route_info_request{.topic = "T"}).take();
    router_->frames_received(*other, frames->frames);
    EXPECT_FALSE(other->paused);
    settle();
    EXPECT_EQ(other->only().opaque, 2);
}

// The last job may end between the pause and the moment in which the pause is known.
TEST(service_load, never_leaves_a_connection_paused_that_has_nothing_waiting) {
    const auto from = std::make_shared<testing::fake_connection>(1);
    const service_load load;
    {
        std::vector<service_load::share> shares;
        for (std::size_t bytes = 0; bytes <= limits::max_service_bytes; bytes += limits::service_job_bytes)
            shares.push_back(load.take(from, 1));
        EXPECT_TRUE(from->paused);
        shares.resize(shares.size() / 2);
        EXPECT_FALSE(from->paused) << "half of it is done";
        EXPECT_EQ(from->resumed, 1);
    }
    EXPECT_EQ(from->resumed, 1) << "said once";
    (void)load.take(from, 2 * limits::max_service_bytes); // done at once
    EXPECT_FALSE(from->paused);
}

} // namespace
} // namespace holdfast::actors
