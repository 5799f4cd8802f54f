// One connection of the fake broker: frames in, bytes out. Lives on the broker's thread.
#pragma once

// Boost 1.74's asio uses std::exchange without including it.
#include <utility>

#include "base/byte_buffer.hpp"
#include "protocol/frame.hpp"
#include "protocol/remoting_command.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace holdfast::client::testing {

class fake_session : public std::enable_shared_from_this<fake_session> {
  public:
    using on_command =
        std::function<void(const std::shared_ptr<fake_session>&, const protocol::remoting_command&)>;
    using on_close = std::function<void(const std::shared_ptr<fake_session>&)>;

    fake_session(boost::asio::ip::tcp::socket socket, on_command command, on_close closed)
        : socket_(std::move(socket)), command_(std::move(command)), closed_(std::move(closed)) {}

    void read() {
        socket_.async_read_some(
            boost::asio::buffer(chunk_),
            [self = shared_from_this()](const boost::system::error_code& failure, std::size_t count) {
                if (failure)
                    return self->gone();
                self->unread_.append(self->chunk_.data(), count);
                self->take_frames();
                self->read();
            });
    }

    void write(byte_view bytes) {
        queued_.append(as_text(bytes));
        if (writing_.empty())
            write_more();
    }

    void close() {
        boost::system::error_code ignored;
        socket_.close(ignored);
    }

  private:
    void take_frames() {
        std::size_t taken = 0;
        while (true) {
            const auto frame = protocol::next_frame(as_bytes(unread_).subspan(taken));
            if (!frame || !frame->has_value())
                break;
            if (!received_.decode(**frame))
                return close();
            taken += (*frame)->size;
            command_(shared_from_this(), received_);
        }
        unread_.erase(0, taken);
    }

    void write_more() {
        writing_.swap(queued_);
        queued_.clear();
        if (writing_.empty())
            return;
        boost::asio::async_write(
            socket_, boost::asio::buffer(writing_),
            [self = shared_from_this()](const boost::system::error_code& failure, std::size_t) {
                self->writing_.clear();
                if (!failure)
                    self->write_more();
            });
    }

    void gone() {
        close();
        closed_(shared_from_this());
    }

    boost::asio::ip::tcp::socket socket_;
    const on_command command_;
    const on_close closed_;
    std::array<char, 65'536> chunk_{};
    std::string unread_;
    std::string queued_;
    std::string writing_;
    protocol::remoting_command received_;
};

} // namespace holdfast::client::testing
