// Real sockets over 127.0.0.1 for tests: a handler that echoes and records, and a blocking client. Nothing
// here sleeps; every wait is for an event and ends after a generous limit.
#pragma once

#include <utility> // Boost 1.74's Asio uses std::exchange without including it

#include "network/frame_handler.hpp"
#include "network/io_runner.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace holdfast::network {

inline constexpr std::chrono::seconds patience{20};

class echo_handler : public frame_handler {
  public:
    // What is done with a batch; echoing unless a test says otherwise. Set before the runner starts.
    std::function<void(connection&, frame_batch)> on_frames = [](connection& from, frame_batch frames) {
        std::vector<shared_bytes> answers;
        for (std::size_t index = 0; index < frames.size(); ++index)
            answers.push_back(frames.slice(index));
        from.send(std::move(answers));
    };

    void connection_opened(std::shared_ptr<connection> opened) override {
        change([&] { open_.emplace(opened->id(), opened); });
    }
    void frames_received(connection& from, frame_batch frames) override {
        change([&] { frame_count_ += frames.size(); });
        on_frames(from, std::move(frames));
    }
    void connection_closed(connection_id which, std::string_view reason) override {
        change([&] {
            EXPECT_EQ(open_.erase(which), 1U) << "closed once, and only what was opened";
            reasons_.emplace_back(reason);
        });
    }

    // The reason of the index-th closing, from 0; fails the test when it does not come.
    std::string reason(std::size_t index = 0) {
        wait_for([&] { return reasons_.size() > index; }, "a connection to be closed");
        const std::lock_guard guard{mutex_};
        return index < reasons_.size() ? reasons_[index] : "never closed";
    }
    // The connection that is open, once there is one.
    std::shared_ptr<connection> only_connection() {
        wait_for([&] { return open_.size() == 1; }, "a connection to be open");
        const std::lock_guard guard{mutex_};
        return open_.empty() ? nullptr : open_.begin()->second;
    }
    void wait_for_open(std::size_t count) {
        wait_for([&] { return open_.size() == count; }, "the number of open connections");
    }
    void wait_for_frames(std::size_t count) {
        wait_for([&] { return frame_count_ >= count; }, "frames");
    }
    std::size_t frame_count() {
        const std::lock_guard guard{mutex_};
        return frame_count_;
    }
    std::size_t closed_count() {
        const std::lock_guard guard{mutex_};
        return reasons_.size();
    }

  private:
    template <class Change>
    void change(Change make) {
        const std::lock_guard guard{mutex_};
        make();
        changed_.notify_all();
    }
    template <class Condition>
    void wait_for(Condition holds, const char* what) {
        std::unique_lock lock{mutex_};
        EXPECT_TRUE(changed_.wait_for(lock, patience, holds)) << "waited in vain for " << what;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<connection_id, std::shared_ptr<connection>> open_;
    std::vector<std::string> reasons_;
    std::size_t frame_count_ = 0;
};

class test_client {
  public:
    explicit test_client(std::uint16_t port) {
        socket_.connect({boost::asio::ip::address_v4::loopback(), port});
        socket_.set_option(boost::asio::ip::tcp::no_delay{true});
        const timeval limit{patience.count(), 0};
        ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    }

    // Whether everything could be written.
    bool write(std::string_view bytes) {
        boost::system::error_code failure;
        boost::asio::write(socket_, boost::asio::buffer(bytes.data(), bytes.size()), failure);
        return !failure;
    }
    // What came, less than asked for when the connection ended.
    std::string read(std::size_t bytes) {
        std::string text(bytes, '\0');
        boost::system::error_code failure;
        text.resize(boost::asio::read(socket_, boost::asio::buffer(text), failure));
        return text;
    }
    // Whether the other side ends the connection, with nothing more to read.
    bool is_ended() { return read(1).empty(); }

    boost::asio::ip::tcp::socket& socket() { return socket_; }
    void close() { socket_.close(); }
    void reset_connection() {
        socket_.set_option(boost::asio::socket_base::linger{true, 0});
        socket_.close();
    }

  private:
    boost::asio::io_context context_;
    boost::asio::ip::tcp::socket socket_{context_};
};

// An echo server on a port of its own.
class loopback_server {
  public:
    explicit loopback_server(limits bounds = {}, echo_handler* handler = nullptr)
        : handler_(handler == nullptr ? &own_handler_ : handler),
          runner_(std::make_unique<io_runner>(bounds)) {
        const auto bound = runner_->listen("127.0.0.1", 0, *handler_);
        EXPECT_TRUE(bound) << bound.failure();
        port_ = *bound;
        runner_->start();
    }

    [[nodiscard]] std::uint16_t port() const { return port_; }
    echo_handler& handler() { return *handler_; }
    io_runner& runner() { return *runner_; }
    void destroy_runner() { runner_.reset(); }

  private:
    echo_handler own_handler_;
    echo_handler* handler_;
    std::unique_ptr<io_runner> runner_;
    std::uint16_t port_ = 0;
};

} // namespace holdfast::network
