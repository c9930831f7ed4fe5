// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/figure_board.h"

#include "app/shell/figure_card.h"
#include "app/shell/page_layout.h"
#include "app/views/theme.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace warplight::app {
namespace {

constexpr int usualView = 720; ///< pixels of a page that a window of 1280 x 800 shows: figures have their usual height
constexpr double mostGrown = 1.6; ///< times that, in larger windows
constexpr double nearlyWhole =
    1.35; ///< times the height that suits it: so much more is given rather than a row cut off
constexpr int leastEnlarged = 320;

FigureNeed needOf(const FigureCard& card, double grown) {
    const FigureView& view = *card.view();
    const FigureRoom room = view.room();
    const lab::Figure::Place place = card.figure().place;
    const int suits = place == lab::Figure::Place::Main     ? room.mainHeight
                      : place == lab::Figure::Place::Detail ? room.detailHeight
                                                            : room.height;
    const auto pixels = static_cast<int>(suits * uiScale() * grown);
    FigureNeed need;
    need.place = place;
    const int least = place == lab::Figure::Place::Detail ? room.detailWidth : room.width;
    need.width = static_cast<int>(least * uiScale()) + FigureCard::frameWidth;
    need.fullHeight = [&card, &view](int width) {
        const int full = view.fullHeight(width - FigureCard::frameWidth);
        return full > 0 ? full + card.frameHeight(width) : 0;
    };
    need.height = [&card, &view, pixels, place](int width) {
        const int full = view.fullHeight(width - FigureCard::frameWidth);
        const int more = place == lab::Figure::Place::Detail ? 0 : view.moreHeight(width - FigureCard::frameWidth);
        return (full > 0 && full <= pixels * nearlyWhole ? full : pixels + more) + card.frameHeight(width);
    };
    if (view.keepsShape())
        need.fullWidth = [&card, &view](int height) {
            return view.fullWidth(height - card.frameHeight(height)) + FigureCard::frameWidth;
        };
    return need;
}

} // namespace

void FigureBoard::setCards(const std::vector<FigureCard*>& shown, FigureCard* alone) {
    cards = shown;
    enlarged = alone;
    for (FigureCard* card : cards)
        card->setVisible(!enlarged || card == enlarged);
    arrange();
}

void FigureBoard::setView(const QSize& size) {
    if (std::exchange(view, size) != size)
        arrange();
}

/// The page's layout gives the board what the window has left. A height of our own that follows from what is above it
/// would change with the scroll bar that it calls, and never come to rest.
void FigureBoard::placeAlone() {
    setMinimumHeight(leastEnlarged);
    enlarged->setGeometry(rect());
}

void FigureBoard::arrange() {
    if (enlarged)
        return placeAlone();
    const double grown = std::clamp(view.height() / (usualView * uiScale()), 1.0, mostGrown);
    std::vector<FigureNeed> needs;
    needs.reserve(cards.size());
    for (const FigureCard* card : cards)
        needs.push_back(needOf(*card, grown));
    const int needed = placeFigures(needs, view.width() > 0 ? view.width() : width(), 0).height;
    setMinimumHeight(needed);
    const PlacedFigures placed = placeFigures(needs, width(), std::max(needed, height()));
    for (size_t i = 0; i < cards.size(); ++i)
        cards[i]->setGeometry(placed.cards[i]);
}

void FigureBoard::resizeEvent(QResizeEvent*) { arrange(); }

} // namespace warplight::app
