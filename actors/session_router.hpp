// Where a connection's frames go. Called on the network's threads: looks at each frame's request code only,
// and hands all frames of one read to the session or service that answers them, one message for each of them.
//
// Both ports are routed alike: a client that asks the broker port for a route gets one.
#pragma once

#include "actors/follower_answers.hpp"
#include "actors/messages.hpp"
#include "actors/session_environment.hpp"
#include "network/frame_handler.hpp"

#include <mutex>
#include <unordered_map>

namespace holdfast::actors {

class session_router final : public network::frame_handler {
  public:
    session_router(caf::actor_system& system, std::shared_ptr<const session_environment> environment);

    void connection_opened(connection_ptr opened) override;
    void frames_received(network::connection& from, network::frame_batch frames) override;
    void connection_closed(connection_id which, std::string_view reason) override;

  private:
    enum class target : std::uint8_t { producer, consumer, name_service, retries, delays, admin, dropped };
    static constexpr std::size_t target_count = 7;

    // A session is made with its first frame: most connections are either a producer's or a consumer's.
    struct sessions {
        connection_ptr connection;
        producer_session_actor producer;
        consumer_session_actor consumer;
        std::unique_ptr<follower_answers> follower;
        service_load load;
    };

    [[nodiscard]] static target target_of(byte_view frame);
    void deliver(sessions& to, target where, session_frames frames);
    void answer_as_follower(sessions& to, const session_frames& frames);
    void hand_over(const producer_session_actor& session, session_frames_ptr frames);

    caf::actor_system& system_;
    std::shared_ptr<const session_environment> environment_;
    std::mutex mutex_;
    std::unordered_map<connection_id, std::shared_ptr<sessions>> connections_;
};

} // namespace holdfast::actors
